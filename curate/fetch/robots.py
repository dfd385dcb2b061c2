"""robots.txt (RFC 9309): each origin's rules are fetched once and asked before every request."""

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from protego import Protego
from yarl import URL

from curate.contract.reasons import FetchStatus
from curate.fetch.config import AGENT_NAME
from curate.fetch.errors import FetchError
from curate.fetch.urls import origin

MAX_ROBOTS_BYTES = 500 * 1024
"""RFC 9309, section 2.5: at least 500 KiB must be parsed; what follows is ignored."""

MAX_ROBOTS_REDIRECTS = 5
"""RFC 9309, section 2.3.1.2."""

MAX_AGE_S = 3_600.0
"""How long rules are reused by later calls of one process; RFC 9309, section 2.4 allows 24 hours."""

MAX_STORED_ORIGINS = 4_096

_UNAVAILABLE = frozenset(
    {
        FetchStatus.HTTP_4XX,
        FetchStatus.HTTP_404,
        FetchStatus.HTTP_410,
        FetchStatus.EMPTY_BODY,
        FetchStatus.TOO_MANY_REDIRECTS,
    }
)
"""No rules, so everything is allowed (RFC 9309, sections 2.3.1.2 and 2.3.1.3), but 429 asks to be left alone."""

_DEAD_HOST = frozenset(
    {FetchStatus.DNS_ERROR, FetchStatus.FORBIDDEN_ADDRESS, FetchStatus.CONNECT_ERROR, FetchStatus.TLS_ERROR}
)
"""The page or image itself would fail in the same way, and that says more than `robots_unreachable`."""

FetchRobots = Callable[[URL], Awaitable[bytes]]
"""Returns the first `MAX_ROBOTS_BYTES` of a robots.txt; raises FetchError."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What one origin permits: its parsed file, or the reason why nothing is permitted."""

    parser: Protego | None
    refusal: FetchError | None = None

    def check(self, url: URL) -> None:
        """Refuse a URL that must not be requested.

        Raises:
            FetchError: ROBOTS_DISALLOWED, ROBOTS_UNREACHABLE, or how the host itself failed.
        """
        if self.refusal is not None:
            raise FetchError(*self.refusal.args)
        if self.parser is not None and not self.parser.can_fetch(str(url), AGENT_NAME):
            raise FetchError(FetchStatus.ROBOTS_DISALLOWED, f"{origin(url)}/robots.txt disallows {url.raw_path[:120]}")


class RulesStore:
    """Rules that outlive a call: the next partition of a worker process need not ask again. Safe in threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, Rules]] = OrderedDict()

    def get(self, key: str) -> Rules | None:
        """Return an origin's rules unless they are too old."""
        with self._lock:
            stored_s, rules = self._kept.get(key, (0.0, None))
            return rules if time.monotonic() - stored_s < MAX_AGE_S else None

    def put(self, key: str, rules: Rules) -> None:
        """Keep an origin's rules; the oldest make room."""
        with self._lock:
            self._kept[key] = (time.monotonic(), rules)
            self._kept.move_to_end(key)
            if len(self._kept) > MAX_STORED_ORIGINS:
                self._kept.popitem(last=False)


class Robots:
    """Asks each origin once per session, however many URLs wait for its answer."""

    def __init__(self, fetch: FetchRobots, *, store: RulesStore) -> None:
        self._fetch = fetch
        self._store = store
        self._asked: dict[str, asyncio.Task[Rules]] = {}

    async def check(self, url: URL) -> None:
        """Refuse a URL that its origin's robots.txt forbids; see `Rules.check`."""
        key = origin(url)
        rules = self._store.get(key)
        if rules is None:
            task = self._asked.get(key)
            if task is None:
                task = self._asked[key] = asyncio.create_task(self._ask(key, url))
            rules = await asyncio.shield(task)
        rules.check(url)

    async def _ask(self, key: str, url: URL) -> Rules:
        try:
            body = await self._fetch(url.origin().with_path("/robots.txt"))
        except FetchError as error:
            if error.status not in _UNAVAILABLE:
                # Kept for this session only: the host may be back for the next partition.
                return Rules(None, _refusal(error))
            rules = Rules(None)
        else:
            rules = Rules(parse_robots(body))
        self._store.put(key, rules)
        return rules


def parse_robots(body: bytes) -> Protego:
    """Parse a robots.txt; bytes that are not UTF-8 spoil only their own line."""
    return Protego.parse(body.decode("utf-8-sig", "replace"))


def _refusal(error: FetchError) -> FetchError:
    status = error.status if error.status in _DEAD_HOST else FetchStatus.ROBOTS_UNREACHABLE
    return FetchError(status, f"robots.txt: {error.detail}")
