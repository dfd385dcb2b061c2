"""What may be in flight at once, and the time one URL may take."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from curate.contract.reasons import FetchStatus
from curate.fetch.errors import FetchError


@dataclass(eq=False, slots=True)
class _Waiter:
    amount: int
    turn: asyncio.Future[None]
    has_turn: bool = False


class Gate:
    """Bounds what all event loops of a process hold at a time; who waits has its turn in order.

    Safe in threads: several partitions are fetched at once, each in a loop of its own, and share one limit. To be used
    from within a running loop.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._used = 0
        self._waiting: deque[_Waiter] = deque()

    async def take(self, amount: int = 1) -> None:
        """Wait until `amount` fits, or nothing else is held."""
        waiter = _Waiter(amount, asyncio.get_running_loop().create_future())
        with self._lock:
            self._waiting.append(waiter)
        self.give(0)
        try:
            await waiter.turn
        except asyncio.CancelledError:
            with self._lock:
                has_turn = waiter.has_turn
            if has_turn:
                self.give(amount)
            raise

    def try_take(self, amount: int, *, beside: int) -> bool:
        """Take more without waiting; say whether there was room.

        Args:
            amount: How much more.
            beside: What the asker holds already: it may have any size if nobody else holds anything.
        """
        with self._lock:
            fits = self._used == beside or self._used + amount <= self._limit
            self._used += amount if fits else 0
        return fits

    def give(self, amount: int = 1) -> None:
        """Give back; a negative amount takes more without waiting."""
        with self._lock:
            self._used -= amount
            lucky = list(self._admit())
        for waiter in lucky:
            self._tell(waiter)

    def _admit(self) -> Iterator[_Waiter]:
        while self._waiting:
            waiter = self._waiting[0]
            if not waiter.turn.cancelled():
                if self._used and self._used + waiter.amount > self._limit:
                    return
                self._used += waiter.amount
                waiter.has_turn = True
                yield waiter
            self._waiting.popleft()

    def _tell(self, waiter: _Waiter) -> None:
        loop = waiter.turn.get_loop()
        if loop is asyncio.get_running_loop():
            _set_turn(waiter.turn)
            return
        try:
            loop.call_soon_threadsafe(_set_turn, waiter.turn)
        except RuntimeError:  # that loop has been closed, and with it all that waited there
            self.give(waiter.amount)


def _set_turn(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)


class Gates:
    """The gates of a process by what they bound; another limit is another gate."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._gates: dict[tuple[str, int], Gate] = {}

    def get(self, name: str, limit: int) -> Gate:
        """Return the one gate of this name and limit."""
        with self._lock:
            return self._gates.setdefault((name, limit), Gate(limit))


class ByteLease:
    """The bytes that one URL holds of a gate."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._held_bytes = 0

    async def reserve(self, num_bytes: int) -> None:
        """Give back what is held, then wait for `num_bytes`."""
        self.release()
        await self._gate.take(num_bytes)
        self._held_bytes = num_bytes

    def try_grow(self, num_bytes: int) -> bool:
        """Hold at least `num_bytes` if they can be had at once; say whether they are held."""
        more = num_bytes - self._held_bytes
        if more > 0 and not self._gate.try_take(more, beside=self._held_bytes):
            return False
        self._held_bytes = max(self._held_bytes, num_bytes)
        return True

    def settle(self, num_bytes: int) -> None:
        """Hold exactly `num_bytes`, without waiting: the body is in memory already."""
        before, self._held_bytes = self._held_bytes, num_bytes
        self._gate.give(before - num_bytes)

    def release(self) -> None:
        """Give everything back."""
        if self._held_bytes:
            self.settle(0)


class Clock:
    """The time that one URL has left on the wire, and the time it may still spend backing off."""

    def __init__(self, *, timeout_s: float, max_wait_s: float) -> None:
        self._timeout_s = timeout_s
        self._left_s = timeout_s
        self.wait_left_s = max_wait_s

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let the time run; outside of this block (waiting for a turn, for memory) it stands still.

        Raises:
            FetchError: TIMEOUT.
        """
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        try:
            async with asyncio.timeout(max(self._left_s, 0)):
                yield
        except TimeoutError as error:
            raise FetchError(FetchStatus.TIMEOUT, f"not done within {self._timeout_s:g} s") from error
        finally:
            self._left_s -= loop.time() - started_s

    @property
    def expired(self) -> bool:
        """Whether no time on the wire is left."""
        return self._left_s <= 0

    async def wait(self, delay_s: float) -> None:
        """Back off."""
        self.wait_left_s -= delay_s
        await asyncio.sleep(delay_s)
