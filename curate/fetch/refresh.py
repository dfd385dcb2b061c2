"""A page that sends its readers on: `<meta http-equiv=refresh>` (HTML Standard, "shared declarative refresh steps")."""

import re

from curate.fetch.optouts.meta_tags import meta_contents, meta_tags

MAX_DELAY_S = 5
"""A page that waits longer wants to be read first, or shows news that it renews."""

_REFRESH = re.compile(r"(\d{0,6})(?:\.[\d.]*)?(?: ?[;,] ?| )(?:url ?= ?)?(.+)", re.IGNORECASE)
_QUOTED = re.compile(r"([\"'])(.*?)(?:\1|$)")


def refresh_target(data: bytes) -> str | None:
    """Return where a page leads at once or within a few seconds, as it says it; None if it stays."""
    contents = meta_contents(meta_tags(data), "http-equiv", "refresh")
    match = _REFRESH.fullmatch(" ".join(contents[0].split())) if contents else None
    if match is None or int(match[1] or 0) > MAX_DELAY_S:
        return None
    target = match[2].strip()
    quoted = _QUOTED.match(target)
    return (quoted[2] if quoted is not None else target).strip() or None
