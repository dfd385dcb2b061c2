"""What an answer's status line and headers mean, before its body is read."""

import re

from multidict import CIMultiDictProxy

from curate.contract.reasons import FetchStatus
from curate.fetch.errors import FetchError
from curate.fetch.network.transport import Response
from curate.fetch.politeness.retry import retry_after_s

REDIRECTS = frozenset({301, 302, 303, 307, 308})

_OWN_STATUS = {404: FetchStatus.HTTP_404, 410: FetchStatus.HTTP_410, 429: FetchStatus.HTTP_429}
_CLASS_STATUS = {4: FetchStatus.HTTP_4XX, 5: FetchStatus.HTTP_5XX}
_RANGE_FROM_START = re.compile(r"bytes[ =]+0-(\d{1,18})/(\d{1,18})")
_MEDIA_TYPE = re.compile(r"\s*((?!\*)[\w!#$&^.+-]+/(?!\*)[\w!#$&^.+-]+)\s*(?=[;\s]|$)", re.ASCII)
_CHARSET = re.compile(r"charset\s*=[\s\"']*([^\s\"';,]+)")
SUCCESS = frozenset({200, 203})
_PARTIAL = 206
_EMPTY_SUCCESS = frozenset({204, 205})


def check_status(response: Response) -> None:
    """Refuse everything but a complete success.

    Raises:
        FetchError: HTTP_* or EMPTY_BODY, with the host's Retry-After.
    """
    code = response.status
    if code in SUCCESS or (code == _PARTIAL and _is_whole(response.headers)):
        return
    if code in _EMPTY_SUCCESS:
        raise FetchError(FetchStatus.EMPTY_BODY, f"HTTP {code}", code)
    raise FetchError(status_of(code), f"HTTP {code}", code, retry_after_s(response.headers))


def _is_whole(headers: CIMultiDictProxy[str]) -> bool:
    """Return whether a 206, which nobody has asked for, brings all there is; one that names no range says so, too."""
    ranges = headers.getall("Content-Range", [])
    matches = [_RANGE_FROM_START.fullmatch(text.strip().lower()) for text in ranges]
    return all(match is not None and int(match[1]) + 1 == int(match[2]) for match in matches)


def status_of(code: int) -> FetchStatus:
    """Return what an HTTP status code that is no success counts as."""
    return _OWN_STATUS.get(code) or _CLASS_STATUS.get(code // 100, FetchStatus.HTTP_OTHER)


def redirect_location(response: Response) -> str | None:
    """Return where a redirect leads, or None if the answer is none."""
    return response.headers.get("Location") if response.status in REDIRECTS else None


def content_type(headers: CIMultiDictProxy[str]) -> tuple[str | None, str | None]:
    """Return the media type and the charset of a Content-Type header, in lower case, None where not said.

    Several values are one list, of which the last type counts (Fetch Standard, "extract a MIME type"): servers and
    scripts behind them both write one. Separators may be missing; ``*/*`` and what is no type say nothing.
    """
    media_type = charset = None
    for part in ",".join(headers.getall("Content-Type", [])).lower().split(","):
        typed, said = _MEDIA_TYPE.match(part), _CHARSET.search(part)
        if typed is not None and typed[1] != media_type:
            media_type, charset = typed[1], None
        charset = said[1] if said is not None else charset
    return media_type, charset
