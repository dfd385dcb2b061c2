"""Who may send a request when: by host, by what the host bears, by its share among processes, and in total."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from curate.contract.reasons import FetchStatus
from curate.fetch.errors import FetchError
from curate.fetch.politeness.hosts import GIVING_NO_ANSWER, HostBook, HostLimits, HostState
from curate.fetch.politeness.limits import Gate
from curate.fetch.politeness.retry import is_refusal
from curate.fetch.politeness.slots import HostSlots


@dataclass(slots=True)
class HostTurn:
    """One request's turn; the client says how it ended."""

    host: str
    is_last: bool
    """Its connection need not be kept: few wait for this host here, or its slot goes to another process."""
    _state: HostState
    _limits: HostLimits
    _slots: HostSlots
    _started_s: float

    def answered(self, error: FetchError | None) -> None:
        """Note an answer, and whether its status is an error."""
        now_s = time.monotonic()
        self._state.answered(now_s)
        if error is None or not is_refusal(error):
            self._state.bore_it(self._limits)
            return
        self._state.refused(error, started_s=self._started_s, now_s=now_s, limits=self._limits)
        if error.retry_after_s:
            self._slots.tell_pause(self.host, min(error.retry_after_s, self._limits.max_wait_s))

    def failed(self, error: FetchError, *, was_answered: bool) -> None:
        """Note a fault of the connection."""
        now_s = time.monotonic()
        if error.status is FetchStatus.TIMEOUT:
            self._state.timed_out(started_s=self._started_s, now_s=now_s)
        if not was_answered and error.status in GIVING_NO_ANSWER:
            self._state.failed(error, now_s=now_s, limits=self._limits)


class HostGates:
    """Holds requests back until their host, the other processes and the total allow them. One per event loop."""

    def __init__(self, *, limits: HostLimits, requests: Gate, book: HostBook, slots: HostSlots) -> None:
        self._limits = limits
        self._book = book
        self._slots = slots
        self._requests = requests
        self._lanes: dict[str, _Lane] = {}

    @asynccontextmanager
    async def turn(self, host: str, *, first: bool = False) -> AsyncIterator[HostTurn]:
        """Hold one request to `host`. Never ask for a second while holding one: two hosts could deadlock.

        Args:
            host: `host_key` of the URL.
            first: Go before all that wait: this URL has waited before.

        Raises:
            FetchError: The host is given up.
        """
        lane = self._lanes.get(host)
        if lane is None:
            lane = self._lanes[host] = _Lane(self._book.state(host, self._limits), self._limits)
        # The host's turn comes first, so that a crowd waiting for one slow host takes nobody else's slots.
        await lane.enter(first=first)
        try:
            slot = await self._slots.acquire(host)
            try:
                await lane.wait_out_pause()
                await asyncio.sleep(0)  # lets all who want this host queue up, so that `is_emptying` knows of them
                await self._requests.take()
                try:
                    is_last = slot.is_last or lane.is_emptying
                    yield HostTurn(host, is_last, lane.state, self._limits, self._slots, time.monotonic())
                finally:
                    self._requests.give()
            finally:
                self._slots.release(slot)
        finally:
            lane.leave()


class _Lane:
    """The requests of one client to one host: those in flight and those that wait, in order."""

    def __init__(self, state: HostState, limits: HostLimits) -> None:
        self.state = state
        self._limits = limits
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._num_inside = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_emptying(self) -> bool:
        """Whether more are in flight than wait, so that some of their connections will not be needed again."""
        return len(self._waiting) < self._num_inside

    async def enter(self, *, first: bool) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if first:
            self._waiting.appendleft(turn)
        else:
            self._waiting.append(turn)
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.leave()
            raise

    def leave(self) -> None:
        self._num_inside -= 1
        self._admit()

    async def wait_out_pause(self) -> None:
        """Wait while the host is paused: it may have asked for it since the turn was given."""
        while (wait_s := self.state.paused_until_s - time.monotonic()) > 0:  # noqa: ASYNC110 a moment, which may move on
            await asyncio.sleep(wait_s)
        refusal = self.state.refusal(time.monotonic())
        if refusal is not None:
            raise refusal

    def _admit(self) -> None:
        """Let in whom the host's state allows; set a timer if it is only a matter of time."""
        while self._waiting:
            now_s = time.monotonic()
            if self._waiting[0].done():
                self._waiting.popleft()
                continue
            refusal = self.state.refusal(now_s)
            if refusal is not None:
                self._waiting.popleft().set_exception(refusal)
                continue
            if self._num_inside >= self.state.num_allowed(self._limits):
                return
            wait_s = self.state.earliest_start_s() - now_s
            if wait_s > 0:
                self._wake_after(wait_s)
                return
            self.state.started(now_s)
            self._num_inside += 1
            self._waiting.popleft().set_result(None)

    def _wake_after(self, wait_s: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._admit()
