"""The Referer header: on which page a URL was found."""

import re

from yarl import URL

from curate.fetch.errors import FetchError
from curate.fetch.urls import parse_url

MAX_CHARS = 4_096
"""Of longer URLs only the origin is sent (Referrer Policy, 8.3)."""

_USER_INFO = re.compile(r"(\s*https?://)[^/?#\\]*@", re.IGNORECASE)


def referer(page_url: str | None, url: URL) -> str | None:
    """Return the header of a request for `url`: the page without fragment and user, None where there is none to name.

    A page fetched over https shows a plain http request its origin only: the rest was kept from those who listen.
    """
    if page_url is None:
        return None
    try:
        page = parse_url(_USER_INFO.sub(r"\1", page_url, count=1))
    except FetchError:
        return None
    text = str(page)
    is_downgrade = page.scheme == "https" and url.scheme != "https"
    return f"{page.origin()}/" if is_downgrade or len(text) > MAX_CHARS else text
