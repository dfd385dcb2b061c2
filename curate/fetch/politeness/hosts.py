"""What is known of each host: how much it bears, until when it asks to be left alone, whether it is dead.

Additive increase and multiplicative decrease, as in TCP (Chiu and Jain, "Analysis of the Increase and Decrease
Algorithms for Congestion Avoidance in Computer Networks", 1989), and a circuit breaker (Nygard, "Release It!", 2007).
No clock and no event loop here: moments are arguments, seconds of ``time.monotonic``.
"""

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass

from yarl import URL

from curate.contract.reasons import FetchStatus
from curate.fetch.errors import FetchError, HostGivenUpError

FIRST_DELAY_S = 0.1
"""Between requests, once a host that gets one at a time still refuses; doubled by every further refusal."""

MAX_DELAY_S = 30.0
DELAY_DECAY = 0.95
"""Of the delay, per answer; a delay below a hundredth of a second is none."""

GROWTH_PER_ROUND = 0.25
"""Requests added to a host's concurrency for each round of answers."""

MAX_HOSTS = 100_000
_NO_DELAY_S = 0.01
_WEB_PORTS = frozenset({80, 443})


@dataclass(frozen=True, kw_only=True, slots=True)
class HostLimits:
    """The part of the options that hosts are judged by."""

    per_host: int
    """Most requests in flight."""
    max_wait_s: float
    """A host that asks for more is given up until then."""
    dead_after: int
    """Failures in a row, without an answer, that make a host dead."""
    dead_for_s: float
    """How long a dead host is left alone before one request probes it."""


class HostState:
    """One host. Shared by the threads of a process: each change is small, and a lost one costs a request at most."""

    def __init__(self, limits: HostLimits) -> None:
        self._concurrency = float(limits.per_host)
        self._delay_s = 0.0
        self._next_start_s = -math.inf
        self._slowed_s = -math.inf
        self._answered_s = -math.inf
        self._num_failures = 0
        self._given_up_until_s = -math.inf
        self._given_up: FetchError | None = None
        self.paused_until_s = -math.inf
        """No request may start before."""

    def num_allowed(self, limits: HostLimits) -> int:
        """Return how many requests may be in flight now; one probes a host that was given up."""
        return 1 if self._given_up is not None else max(1, min(int(self._concurrency), limits.per_host))

    def earliest_start_s(self) -> float:
        """Return the moment from which the next request may start."""
        return max(self.paused_until_s, self._next_start_s)

    def started(self, now_s: float) -> None:
        """Note a request's start: the next one keeps its distance."""
        self._next_start_s = now_s + self._delay_s

    def refusal(self, now_s: float) -> HostGivenUpError | None:
        """Return the error of every URL of a host that is given up at present."""
        if self._given_up is None or now_s >= self._given_up_until_s:
            return None
        error = self._given_up
        return HostGivenUpError(error.status, f"not asked: {error.detail}", error.http_status)

    def answered(self, now_s: float) -> None:
        """Note any answer: the host lives."""
        self._answered_s = now_s
        self._num_failures = 0
        self._given_up = None

    def bore_it(self, limits: HostLimits) -> None:
        """Note an answer that was no refusal: the distance shrinks, then concurrency grows."""
        if self._delay_s:
            self._delay_s *= DELAY_DECAY
            if self._delay_s < _NO_DELAY_S:
                self._delay_s = 0.0
        elif self._concurrency < limits.per_host:
            self._concurrency += GROWTH_PER_ROUND / self._concurrency

    def refused(self, error: FetchError, *, started_s: float, now_s: float, limits: HostLimits) -> None:
        """Note a 429 or 503: slow down, and obey Retry-After, whichever URL it came for."""
        if started_s >= self._slowed_s:  # requests that were under way then cannot know
            if self._concurrency < 2:  # noqa: PLR2004 half of it would be less than one
                self._delay_s = min(max(FIRST_DELAY_S, 2 * self._delay_s), MAX_DELAY_S)
            self._halve(now_s)
            self._next_start_s = now_s + self._delay_s
        wait_s = error.retry_after_s or 0.0
        if wait_s > limits.max_wait_s:
            detail = f"the host asked to be left alone for {wait_s:g} s: {error.detail}"
            self._give_up(FetchError(error.status, detail, error.http_status), now_s + wait_s)
        else:
            self.pause(now_s + wait_s)

    def pause(self, until_s: float) -> None:
        """Let no request start before a moment."""
        self.paused_until_s = max(self.paused_until_s, until_s)

    def timed_out(self, *, started_s: float, now_s: float) -> None:
        """Note a time-out: perhaps the host bears less than it was given."""
        if started_s >= self._slowed_s:
            self._halve(now_s)

    def failed(self, error: FetchError, *, now_s: float, limits: HostLimits) -> None:
        """Note that there was no answer.

        A host that has answered lately has some bad URLs; one that has not is dead.
        """
        self._num_failures += 1
        if self._num_failures >= limits.dead_after and now_s - self._answered_s >= limits.dead_for_s:
            detail = f"the host failed {self._num_failures} times in a row: {error.detail}"
            self._give_up(FetchError(error.status, detail), now_s + limits.dead_for_s)

    def _halve(self, now_s: float) -> None:
        self._concurrency = max(1.0, self._concurrency / 2)
        self._slowed_s = now_s

    def _give_up(self, error: FetchError, until_s: float) -> None:
        self._given_up, self._given_up_until_s = error, until_s


class HostBook:
    """The hosts that a process knows, the latest used ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: OrderedDict[str, HostState] = OrderedDict()

    def state(self, host: str, limits: HostLimits) -> HostState:
        """Return a host's state, new hosts full of trust."""
        with self._lock:
            state = self._states.get(host)
            if state is None:
                state = self._states[host] = HostState(limits)
                if len(self._states) > MAX_HOSTS:
                    self._states.popitem(last=False)
            else:
                self._states.move_to_end(host)
            return state

    def pause(self, host: str, until_s: float) -> None:
        """Let no request to a known host start before a moment."""
        with self._lock:
            state = self._states.get(host)
        if state is not None:
            state.pause(until_s)


def host_key(url: URL) -> str:
    """Return the name that limits count a URL under: its host, and its port where that is not the web's own."""
    host = url.host or ""
    return host if url.port in _WEB_PORTS else f"{host}:{url.port}"


GIVING_NO_ANSWER = frozenset({FetchStatus.CONNECT_ERROR, FetchStatus.DNS_ERROR, FetchStatus.TIMEOUT})
"""Failures, without an answer, that `HostState.failed` counts."""
