"""Image URLs as they are stored."""

import ada_url

_DATA_URL_MAX_CHARS = 64
_MAX_CHARS = 1 << 16  # longer ones are data in disguise, and no server takes them
_REMOVED = str.maketrans("", "", "\t\n\r\0")
_FETCHED = ("http:", "https:")


def resolve_url(base: str | None, raw: str) -> str:
    r"""Return ``raw`` as an absolute URL by the rules of browsers (WHATWG URL), as far as that can be done.

    So ``..\b c.jpg`` is ``/b%20c.jpg``; dot segments are resolved, host names are in lower case and Punycode. The
    fragment of an http(s) URL is cut off, for it is never sent. Nothing is rejected here: what is no http(s) URL goes
    on as it stands, and fetching gives it its reason. The body of a ``data:`` URL is cut off, for it may be a megabyte
    that nobody reads.

    Args:
        base: URL of the page or record, if it has one.
        raw: The attribute or field; white space around it and line breaks in it are dropped.
    """
    url = raw.strip().translate(_REMOVED)
    if url[:5].lower() == "data:":
        return url if len(url) <= _DATA_URL_MAX_CHARS else url[:_DATA_URL_MAX_CHARS] + "…"
    if not url or len(url) > _MAX_CHARS:
        return url
    try:
        whole = ada_url.join_url(base, url) if base else ada_url.normalize_url(url)
    except ValueError:  # a relative URL without a base, an empty host, brackets that enclose no IPv6 address
        return url
    return whole.partition("#")[0] if whole.startswith(_FETCHED) else url if not base else whole
