"""What a page says in itself about the use of its content: `<meta name=robots>` and `<meta name=tdm-reservation>`.

The words and the switches are those of the headers of the same meaning, and so is the status: OPTED_OUT.
"""

import re

from curate.fetch.config import AGENT_NAME, FetchConfig
from curate.fetch.optouts.headers import RESERVING_DIRECTIVES, Checks, refuse_reserved
from curate.fetch.optouts.meta_tags import meta_contents, meta_tags

_SEPARATOR = re.compile(r"[,;\s]+")


def check_page(data: bytes, *, status: int, config: FetchConfig, checks: Checks) -> None:
    """Look at the statements in a page's head, then refuse a page that one of them reserves.

    Raises:
        FetchError: OPTED_OUT.
    """
    tags = meta_tags(data)
    signals = []
    if config.respect_x_robots:
        signals.append(_check_robots(tags, checks))
    if config.respect_tdmrep:
        signals.append(_check_tdm(tags, checks))
    refuse_reserved(signals, status=status)


def _check_robots(tags: list[dict[str, str]], checks: Checks) -> str | None:
    contents = meta_contents(tags, "name", "robots", AGENT_NAME) + meta_contents(tags, "http-equiv", "x-robots-tag")
    for content in contents:
        checks.add_robots_tag(" ".join(content.split()))
    words = [word for content in contents for word in _SEPARATOR.split(content.lower())]
    found = next((word for word in words if word in RESERVING_DIRECTIVES), None)
    return None if found is None else f"meta robots: {found}"


def _check_tdm(tags: list[dict[str, str]], checks: Checks) -> str | None:
    """Return what reserves the content. A page cannot take back what its site or header has reserved."""
    contents = meta_contents(tags, "name", "tdm-reservation") + meta_contents(tags, "http-equiv", "tdm-reservation")
    values = {content.strip() for content in contents} & {"0", "1"}
    if values:
        checks.tdm_reservation = int(max(values))
    return "meta tdm-reservation: 1" if "1" in values else None
