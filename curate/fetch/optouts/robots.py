"""robots.txt (RFC 9309): each origin's rules are fetched once and asked before every request."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from protego import Protego
from yarl import URL

from curate.contract.reasons import FetchStatus
from curate.fetch.config import AGENT_NAME, FetchConfig
from curate.fetch.errors import FetchError, HostGivenUpError
from curate.fetch.optouts.content_usage import UsageRule, parse_usage_rules, usage_for
from curate.fetch.optouts.headers import Checks
from curate.fetch.optouts.origins import AskOnce, OriginStore
from curate.fetch.urls import origin

MAX_ROBOTS_BYTES = 500 * 1024
"""RFC 9309, section 2.5: at least 500 KiB must be parsed; what follows is ignored."""

MAX_ROBOTS_REDIRECTS = 5
"""RFC 9309, section 2.3.1.2."""

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
    usage: tuple[UsageRule, ...] = ()

    def check(self, url: URL, checks: Checks) -> None:
        """Refuse a URL that must not be requested.

        Raises:
            FetchError: ROBOTS_DISALLOWED, ROBOTS_UNREACHABLE, or how the host itself failed.
        """
        if self.refusal is not None:
            checks.robots = "unreachable"
            raise HostGivenUpError(*self.refusal.args)  # asked for often enough
        if self.parser is not None and not self.parser.can_fetch(str(url), AGENT_NAME):
            checks.robots = "disallowed"
            raise FetchError(FetchStatus.ROBOTS_DISALLOWED, f"{origin(url)}/robots.txt disallows {url.raw_path[:120]}")
        checks.robots = "allowed"


class Robots:
    """The robots.txt of every origin that one session meets."""

    def __init__(self, fetch: FetchRobots, *, config: FetchConfig, store: OriginStore[Rules]) -> None:
        self._fetch = fetch
        self._config = config
        self._asked = AskOnce(store)

    async def check(self, url: URL, checks: Checks) -> None:
        """Refuse a URL that its origin's robots.txt forbids, and note the preferences that it states.

        Raises:
            FetchError: See `Rules.check`.
        """
        if not (self._config.respect_robots or self._config.respect_content_usage):
            return
        rules = await self._asked.get(origin(url), lambda: self._ask(url))
        if self._config.respect_robots:
            rules.check(url, checks)
        if self._config.respect_content_usage:
            checks.content_usage = usage_for(rules.usage, url.raw_path_qs)

    async def _ask(self, url: URL) -> tuple[Rules, bool]:
        try:
            body = await self._fetch(url.origin().with_path("/robots.txt"))
        except FetchError as error:
            # Transient faults are kept for this session only: the host may be back for the next partition.
            is_final = error.status in _UNAVAILABLE
            return Rules(None, None if is_final else _refusal(error)), is_final
        return Rules(parse_robots(body), usage=parse_usage_rules(body.decode("utf-8-sig", "replace"))), True


def parse_robots(body: bytes) -> Protego:
    """Parse a robots.txt; bytes that are not UTF-8 spoil only their own line."""
    return Protego.parse(body.decode("utf-8-sig", "replace"))


def _refusal(error: FetchError) -> FetchError:
    status = error.status if error.status in _DEAD_HOST else FetchStatus.ROBOTS_UNREACHABLE
    return FetchError(status, f"robots.txt: {error.detail}")
