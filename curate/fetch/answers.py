"""What an answer's status line and headers mean, before its body is read."""

from collections.abc import Iterator

from multidict import CIMultiDictProxy

from curate.contract.reasons import FetchStatus
from curate.fetch.config import AGENT_NAME
from curate.fetch.errors import FetchError
from curate.fetch.retry import retry_after_s
from curate.fetch.transport import Response

REDIRECTS = frozenset({301, 302, 303, 307, 308})

RESERVING_DIRECTIVES = frozenset({"noai", "noimageai", "noml", "noindex", "noimageindex", "none"})
"""X-Robots-Tag directives that reserve content from such use; `none` means noindex, nofollow."""

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
    status = _OWN_STATUS.get(code) or _CLASS_STATUS.get(code // 100, FetchStatus.HTTP_OTHER)
    raise FetchError(status, f"HTTP {code}", code, retry_after_s(response.headers))


def redirect_location(response: Response) -> str | None:
    """Return where a redirect leads, or None if the answer is none."""
    return response.headers.get("Location") if response.status in REDIRECTS else None


def check_opt_out(headers: CIMultiDictProxy[str], *, status: int) -> None:
    """Refuse content that an X-Robots-Tag header reserves from every agent or from this one.

    Raises:
        FetchError: OPTED_OUT.
    """
    for line in headers.getall("X-Robots-Tag", []):
        for agent, directive in parse_x_robots(line):
            if directive in RESERVING_DIRECTIVES and agent in {"", "*", AGENT_NAME}:
                raise FetchError(FetchStatus.OPTED_OUT, f"X-Robots-Tag: {directive}", status)


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


def content_type(headers: CIMultiDictProxy[str]) -> tuple[str | None, str | None]:
    """Return the media type and the charset of a Content-Type header, in lower case, None where not said."""
    media_type, *parameters = headers.get("Content-Type", "").lower().split(";")
    charset = None
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset":
            charset = charset or value.strip().strip("\"'") or None
    return media_type.strip() or None, charset
