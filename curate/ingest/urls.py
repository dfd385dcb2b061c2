"""Image URLs as they are stored."""

from urllib.parse import urljoin

_DATA_URL_MAX_CHARS = 64
_REMOVED = str.maketrans("", "", "\t\n\r\0")


def resolve_url(base: str | None, raw: str) -> str:
    """Return ``raw`` as an absolute URL, as far as that can be done.

    Nothing is rejected here: what is no http(s) URL goes on as it stands, and fetching gives it its reason. The body
    of a ``data:`` URL is cut off, for it may be a megabyte that nobody reads.

    Args:
        base: URL of the page or record, if it has one.
        raw: The attribute or field; white space around it and line breaks in it are dropped (WHATWG URL, 4.4).
    """
    url = raw.strip().translate(_REMOVED)
    if url[:5].lower() == "data:":
        return url if len(url) <= _DATA_URL_MAX_CHARS else url[:_DATA_URL_MAX_CHARS] + "…"
    if not base or not url:
        return url
    try:
        return urljoin(base, url)
    except ValueError:  # brackets that enclose no IPv6 address
        return url
