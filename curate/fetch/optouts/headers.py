"""What a site says about the use of its content in its response headers, and the record of every check.

Each signal has a switch of its own in `FetchConfig`. A signal that reserves the content ends the fetch with OPTED_OUT
before the body is read; whatever was checked is stored with the row, also of fetches that fail.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from multidict import CIMultiDictProxy

from curate.contract.reasons import FetchStatus
from curate.fetch.config import AGENT_NAME, FetchConfig
from curate.fetch.errors import FetchError
from curate.fetch.optouts.content_usage import reserves_training

RESERVING_DIRECTIVES = frozenset({"noai", "noimageai", "noml", "noindex", "noimageindex", "none"})
"""X-Robots-Tag directives that reserve content from such use; `none` means noindex, nofollow."""

_STORED_CHARS = 200
MS_PER_S = 1_000


@dataclass(kw_only=True, slots=True)
class Checks:
    """What was found out for one URL; after redirects, about the last hop. None = not checked."""

    robots: str | None = None
    x_robots_tag: str | None = None
    tdm_reservation: int | None = None
    content_usage: str | None = None

    def to_row(self) -> dict[str, object]:
        """Return the columns OPT_OUT_CHECKS, dated now."""
        return {"fetched_at": int(time.time()) * MS_PER_S, **asdict(self)}

    def add_robots_tag(self, directives: str) -> None:
        """Record directives beside those found before."""
        self.x_robots_tag = ", ".join(part for part in (self.x_robots_tag, directives) if part)[:_STORED_CHARS]

    def add_usage(self, preference: str) -> None:
        """Record a Content-Usage preference beside those found before."""
        parts = [part for part in (self.content_usage, preference) if part]
        self.content_usage = ", ".join(parts)[:_STORED_CHARS]


def check_headers(headers: CIMultiDictProxy[str], *, status: int, config: FetchConfig, checks: Checks) -> None:
    """Look at every signal of a successful answer, then refuse content that one of them reserves.

    Raises:
        FetchError: OPTED_OUT.
    """
    signals = []
    if config.respect_x_robots:
        signals.append(_check_x_robots(headers, checks))
    if config.respect_tdmrep:
        signals.append(_check_tdm(headers, checks))
    if config.respect_content_usage:
        signals.append(_check_content_usage(headers, checks))
    refuse_reserved(signals, status=status)


def refuse_reserved(signals: Iterable[str | None], *, status: int) -> None:
    """Refuse content that a signal reserves; None is one that does not.

    Raises:
        FetchError: OPTED_OUT, with all that do.
    """
    reserved = [signal for signal in signals if signal is not None]
    if reserved:
        raise FetchError(FetchStatus.OPTED_OUT, "; ".join(reserved), status)


def _check_x_robots(headers: CIMultiDictProxy[str], checks: Checks) -> str | None:
    lines = headers.getall("X-Robots-Tag", [])
    checks.x_robots_tag = ", ".join(lines)[:_STORED_CHARS]
    for line in lines:
        for agent, directive in parse_x_robots(line):
            if directive in RESERVING_DIRECTIVES and agent in {"", "*", AGENT_NAME}:
                return f"X-Robots-Tag: {directive}"
    return None


def parse_x_robots(line: str) -> Iterator[tuple[str, str]]:
    """Yield (agent, directive) pairs of one header line, in lower case; an empty agent means everyone.

    ``agent: a, b`` scopes both a and b. Lines that a proxy has joined with commas name the next agent in the middle.
    """
    agent = ""
    for part in line.lower().split(","):
        name, colon, rest = (text.strip() for text in part.partition(":"))
        if colon and not name.startswith(("unavailable_after", "max-")):
            agent, name = name, rest
        yield agent, name


def _check_tdm(headers: CIMultiDictProxy[str], checks: Checks) -> str | None:
    """Return what reserves the content: the header's word, or that of tdmrep.json where the header says nothing."""
    values = {part.strip() for part in ",".join(headers.getall("TDM-Reservation", [])).split(",")} & {"0", "1"}
    if values:
        value = max(values)  # of contradicting ones the stricter counts
        checks.tdm_reservation = int(value)
        return "TDM-Reservation: 1" if value == "1" else None
    return "tdmrep.json: tdm-reservation 1" if checks.tdm_reservation == 1 else None


def _check_content_usage(headers: CIMultiDictProxy[str], checks: Checks) -> str | None:
    """Return what reserves the content. Header and robots.txt stand side by side: the stricter one counts."""
    header = ", ".join(headers.getall("Content-Usage", []))
    from_robots = checks.content_usage or ""
    checks.content_usage = from_robots[:_STORED_CHARS]
    if header:
        checks.add_usage(header)
    for where, text in (("Content-Usage", header), ("robots.txt Content-Usage", from_robots)):
        if reserves_training(text):
            return f"{where}: {text[:_STORED_CHARS]}"
    return None
