"""Image URLs as they are stored, and what tells one page from another."""

import re

import ada_url

_DATA_URL_MAX_CHARS = 64
_MAX_CHARS = 1 << 16  # longer ones are data in disguise, and no server takes them
_REMOVED = str.maketrans("", "", "\t\n\r\0")
_FETCHED = ("http:", "https:")
_TRACKING = re.compile(
    # Google Analytics, those that write as it does, and Matomo; the click ids of advertisers, shops and mailing lists.
    r"utm_.*|(?:mtm|pk|piwik)_(?:campaign|keyword|kwd|source|medium|content|cid|group|placement)|_ga|_gl|gad_source"
    r"|[dg]clid|gclsrc|[gw]braid|fbclid|igshid|igsh|msclkid|ttclid|twclid|li_fat_id|epik|yclid|ysclid|_openstat"
    r"|irclickid|rb_clickid|srsltid|s_cid|guccounter|guce_referrer(?:_sig)?|mc_[ce]id|mkt_tok|hsctatracking|_hsenc"
    r"|_hsmi|__hs(?:fp|sc|tc)|__s|ml_subscriber(?:_hash)?|oly_(?:anon|enc)_id|vero_(?:conv|id)|wickedid",
    re.IGNORECASE,
)


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


def page_key(url: str, *, without_tracking: bool) -> str:
    """Return what two URLs of one page have in common: the URL as browsers write it, without its fragment.

    Args:
        url: Of a page.
        without_tracking: Leave out parameters that say where a visitor came from and choose no content, such as
            ``utm_source`` and ``fbclid``. Whatever else is there stays as it is, in its order.
    """
    whole = resolve_url(None, url)
    base, mark, query = whole.partition("?")
    if not without_tracking or not mark:
        return whole
    kept = [part for part in query.split("&") if not _TRACKING.fullmatch(part.partition("=")[0])]
    return f"{base}?{'&'.join(kept)}" if kept else base
