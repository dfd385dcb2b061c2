"""URLs as strangers write them: what is fetched, what is refused, and how the rest is quoted."""

import re

from yarl import URL

from curate.contract.reasons import FetchStatus
from curate.fetch.errors import FetchError

MAX_URL_CHARS = 8_192
"""RFC 9110, section 4.1 asks servers for at least 8,000; longer ones are mostly data in disguise."""

_LEGAL = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")  # RFC 3986, appendix A
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SHOWN_CHARS = 120


def parse_url(text: str) -> URL:
    """Return an absolute http(s) URL, ready to be requested.

    A URL of legal characters only is sent as it is: servers sign and compare exact spellings. Any other is quoted.

    Raises:
        FetchError: BAD_URL.
    """
    text = text.strip()
    if len(text) > MAX_URL_CHARS:
        raise FetchError(FetchStatus.BAD_URL, f"longer than {MAX_URL_CHARS} characters")
    if _CONTROL.search(text):
        raise FetchError(FetchStatus.BAD_URL, "contains a control character")
    try:
        text.encode()  # yarl drops lone surrogates, which makes another URL
        url = URL(text, encoded=_LEGAL.fullmatch(text) is not None)
        return _check(url)
    except ValueError as error:  # UnicodeError (a lone surrogate, a bad IDNA name) is one, too
        raise FetchError(FetchStatus.BAD_URL, f"{type(error).__name__} in {text[:_SHOWN_CHARS]!a}") from error


def join_redirect(base: URL, location: str) -> URL:
    """Return the target of a redirect.

    Args:
        base: The URL that answered.
        location: Its Location header; bytes that are not UTF-8 come as surrogate escapes.

    Raises:
        FetchError: BAD_URL, also for other schemes such as file:.
    """
    try:
        raw = location.encode("utf-8", "surrogateescape")
        quoted = "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in raw)  # noqa: PLR2004 ASCII ends at 0x7F
        target = base.join(URL(quoted, encoded=_LEGAL.fullmatch(quoted) is not None))
    except ValueError as error:
        shown = ascii(location[:_SHOWN_CHARS])
        raise FetchError(FetchStatus.BAD_URL, f"redirect to {shown}: {type(error).__name__}") from error
    return parse_url(str(target))


def _check(url: URL) -> URL:
    if url.scheme not in {"http", "https"}:
        raise FetchError(FetchStatus.BAD_URL, f"scheme {url.scheme[:_SHOWN_CHARS]!a} is not http or https")
    if not url.host or " " in url.host or _CONTROL.search(url.host):
        raise FetchError(FetchStatus.BAD_URL, "no valid host name")
    if url.user is not None or url.password is not None:
        raise FetchError(FetchStatus.BAD_URL, "carries a user name or password")
    if not url.port:
        raise FetchError(FetchStatus.BAD_URL, "port 0")
    # URLs taken as they are keep the host's spelling; one host must have one name for limits and robots rules.
    host = url.raw_host or ""
    return (url if host == host.lower() else url.with_host(host.lower())).with_fragment(None)


def origin(url: URL) -> str:
    """Return scheme, host and port: the scope of a robots.txt."""
    return str(url.origin())
