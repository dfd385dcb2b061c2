"""TDM Reservation Protocol (W3C Community Group Final Report, 2024): a site's ``/.well-known/tdmrep.json``."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from yarl import URL

from curate.fetch.errors import FetchError
from curate.fetch.optouts.headers import Checks
from curate.fetch.optouts.origins import AskOnce, OriginStore
from curate.fetch.optouts.paths import matches_path
from curate.fetch.urls import origin

TDMREP_PATH = "/.well-known/tdmrep.json"
MAX_ENTRIES = 10_000

FetchFile = Callable[[URL], Awaitable[bytes]]
"""Returns the beginning of a file, as much as is read of a robots.txt; raises FetchError."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """One entry: whether the rights in what lies under a path are reserved."""

    location: str
    is_reserved: bool


def parse_tdmrep(body: bytes) -> tuple[Reservation, ...]:
    """Return the entries in their order; whatever does not parse says nothing."""
    try:
        entries = json.loads(body)
    except (ValueError, RecursionError):
        return ()
    if not isinstance(entries, list):
        return ()
    return tuple(
        Reservation(entry["location"], entry["tdm-reservation"] == 1)
        for entry in entries[:MAX_ENTRIES]
        if isinstance(entry, dict)
        and isinstance(entry.get("location"), str)
        and type(entry.get("tdm-reservation")) is int
        and entry["tdm-reservation"] in {0, 1}
    )


def reservation_of(entries: tuple[Reservation, ...], url: URL) -> int:
    """Return 1 if the first entry that matches reserves the rights, else 0."""
    path = url.raw_path_qs
    return next((int(entry.is_reserved) for entry in entries if matches_path(entry.location, path)), 0)


class Reservations:
    """The tdmrep.json of every origin that one session meets."""

    def __init__(self, fetch: FetchFile, *, store: OriginStore[tuple[Reservation, ...]]) -> None:
        self._fetch = fetch
        self._asked = AskOnce(store)

    async def check(self, url: URL, checks: Checks) -> None:
        """Note whether the rights in a URL's content are reserved; its header may say otherwise later."""
        entries = await self._asked.get(origin(url), lambda: self._ask(url))
        checks.tdm_reservation = reservation_of(entries, url)

    async def _ask(self, url: URL) -> tuple[tuple[Reservation, ...], bool]:
        try:
            body = await self._fetch(url.origin().with_path(TDMREP_PATH))
        except FetchError as error:
            # The protocol has no word for a file that cannot be had: it reserves nothing.
            return (), error.http_status is not None
        return parse_tdmrep(body), True
