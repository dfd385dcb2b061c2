"""Bytes in flight, and the time one URL may take."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from curate.contract.reasons import FetchStatus
from curate.fetch.errors import FetchError


class ByteGate:
    """Bounds the bytes of bodies that are being read or wait to be decoded; who waits has its turn in order."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._used_bytes = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, num_bytes: int) -> None:
        """Wait until `num_bytes` fit, or nothing else is held."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((num_bytes, turn))
        self.give(0)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give(num_bytes)
            raise

    def try_take(self, num_bytes: int, *, beside: int) -> bool:
        """Take more without waiting; say whether there was room.

        Args:
            num_bytes: How many more.
            beside: What the asker holds already: it may have any size if nobody else holds anything.
        """
        fits = self._used_bytes == beside or self._used_bytes + num_bytes <= self._limit_bytes
        self._used_bytes += num_bytes if fits else 0
        return fits

    def give(self, num_bytes: int) -> None:
        """Give bytes back; a negative number takes more without waiting."""
        self._used_bytes -= num_bytes
        while self._waiting:
            wanted_bytes, turn = self._waiting[0]
            if not turn.done():
                if not self.try_take(wanted_bytes, beside=0):
                    return
                turn.set_result(None)
            self._waiting.popleft()


class ByteLease:
    """The bytes that one URL holds of a gate."""

    def __init__(self, gate: ByteGate) -> None:
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
