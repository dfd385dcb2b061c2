"""What an answer's status line and headers mean, before its body is read."""

from multidict import CIMultiDictProxy

from curate.contract.reasons import FetchStatus
from curate.fetch.errors import FetchError
from curate.fetch.network.transport import Response
from curate.fetch.politeness.retry import retry_after_s

REDIRECTS = frozenset({301, 302, 303, 307, 308})

_OWN_STATUS = {404: FetchStatus.HTTP_404, 410: FetchStatus.HTTP_410, 429: FetchStatus.HTTP_429}
_CLASS_STATUS = {4: FetchStatus.HTTP_4XX, 5: FetchStatus.HTTP_5XX}
_SUCCESS = frozenset({200, 203})
_EMPTY_SUCCESS = frozenset({204, 205})


def check_status(response: Response) -> None:
    """Refuse everything but a complete success.

    Raises:
        FetchError: HTTP_* or EMPTY_BODY, with the host's Retry-After.
    """
    code = response.status
    if code in _SUCCESS:
        return
    if code in _EMPTY_SUCCESS:
        raise FetchError(FetchStatus.EMPTY_BODY, f"HTTP {code}", code)
    raise FetchError(status_of(code), f"HTTP {code}", code, retry_after_s(response.headers))


def status_of(code: int) -> FetchStatus:
    """Return what an HTTP status code that is no success counts as."""
    return _OWN_STATUS.get(code) or _CLASS_STATUS.get(code // 100, FetchStatus.HTTP_OTHER)


def redirect_location(response: Response) -> str | None:
    """Return where a redirect leads, or None if the answer is none."""
    return response.headers.get("Location") if response.status in REDIRECTS else None


def content_type(headers: CIMultiDictProxy[str]) -> tuple[str | None, str | None]:
    """Return the media type and the charset of a Content-Type header, in lower case, None where not said."""
    media_type, *parameters = headers.get("Content-Type", "").lower().split(";")
    charset = None
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset":
            charset = charset or value.strip().strip("\"'") or None
    return media_type.strip() or None, charset
