"""What belongs to a page's boilerplate (what its site puts around every page) rather than to its content.

Some signs are certain: ``<nav>``, ``role="banner"``, a comment section. Others (a class name, hiding by style, a form)
are also found around whole articles, so an element that holds the page's main element or most of its running text is
never dropped for them.
"""

import re
from bisect import bisect_left
from enum import IntEnum
from functools import lru_cache

from curate.ingest.html.outline import Element, Nodes, live_elements, text_before

_BOILERPLATE_TAGS = frozenset({"nav", "aside", "footer", "header"})
_BOILERPLATE_ROLES = frozenset({"navigation", "banner", "contentinfo", "complementary", "search"})
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_COMMENT_WORDS = frozenset({"comments", "commentlist", "disqus", "respond"})
_COMMENT_START = "comment"  # at the end of a name it is also what newspapers call opinion
_BOILERPLATE_WORDS = frozenset(
    {"sidebar", "sidebars", "cookie", "cookies", "consent", "gdpr", "newsletter", "newsletters", "subscribe"}
    | {"subscription", "share", "sharing", "sharebar", "social", "breadcrumb", "breadcrumbs", "menu", "menus", "nav"}
    | {"navbar", "navigation", "pagination", "pager", "ad", "ads", "advert", "adverts", "advertisement", "advertising"}
    | {"adsense", "sponsor", "sponsored", "promo", "outbrain", "taboola", "related", "recommended", "trending"}
    | {"popup", "modal", "footer", "masthead", "teasers", "promos", "toolbar", "popular"}
    | {"author", "authors", "byline", "bylines", "bio", "avatar", "login", "signin", "signup", "printfooter"}
    | {"noprint", "tags", "shares", "readmore", "recirc", "recirculation", "disclosure"}
    | {"catlinks", "catlink", "mostread", "upnext", "siderail"}
)
_BOILERPLATE_NAMES = frozenset({"header", "site-header", "global-header", "top-bar", "topbar", "widget", "widget-area"})
# `has-sidebar`, `comments-open`: such a name tells of something elsewhere on the page.
_STATE_WORDS = frozenset({"no", "not", "has", "with", "without", "open", "closed", "enabled", "disabled"})
# Author-made or automatic names on inline text and headings speak of the topic, not of boilerplate.
_TOPIC_TAGS = _HEADINGS | frozenset(
    {"span", "b", "i", "em", "strong", "code", "kbd", "samp", "var", "abbr", "cite", "dfn", "q", "mark", "time"}
    | {"small", "sub", "sup", "u", "s", "img", "amp-img", "picture", "source", "body", "html", "main"}
)
_HIDING_STYLE = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")

_MOST = 0.5  # share of the page's running text that shows an element to be the content
_LEAST = 0.1  # a page that keeps less than this share was misjudged


class _Sign(IntEnum):
    NONE = 0
    WEAK = 1
    COMMENTS = 2  # readers' comments are often most of a page's text
    CERTAIN = 3


def is_main(element: Element) -> bool:
    """Tell whether the page itself calls this its main content."""
    return element.tag == "main" or ("role" in element.attrs and element.get("role").lower() == "main")


def is_article(element: Element) -> bool:
    """Tell whether this is marked up as an article or an article's body."""
    return element.tag == "article" or (
        "itemprop" in element.attrs and element.get("itemprop").lower() == "articlebody"
    )


def find_boilerplate(nodes: Nodes) -> set[int]:
    """Return the indices of the elements to drop with all they hold; the root is never among them."""
    certain, doubtful = _find_signs(nodes)
    if not doubtful:
        return certain
    mains = [i for i, node in enumerate(nodes) if not isinstance(node, str) and _is_body(node)]
    doubtful = {index: sign for index, sign in doubtful.items() if not _hold(mains, index, _end(nodes, index))}
    certain |= {index for index, sign in doubtful.items() if sign is _Sign.COMMENTS}
    text = text_before(nodes, certain)
    most = _MOST * text[-1]
    dropped = certain | {index for index in doubtful if text[_end(nodes, index)] - text[index] <= most}
    return certain if _left(nodes, dropped - certain, text) < _LEAST * text[-1] else dropped


def _find_signs(nodes: Nodes) -> tuple[set[int], dict[int, _Sign]]:
    """Return the certain elements and, outside them, the doubtful ones."""
    certain: set[int] = set()
    doubtful: dict[int, _Sign] = {}
    headings = _places(nodes, _HEADINGS)
    titles = _places(nodes, frozenset({"h1"}))
    content_end = num_headers = 0
    for index, element in live_elements(nodes, certain):
        sign = _judge(element) if index else _Sign.NONE
        if element.tag == "header":
            holders = headings if index < content_end else titles if num_headers else []
            sign = _Sign.NONE if _hold(holders, index, element.end) else sign
            num_headers += 1
        if sign is _Sign.COMMENTS and _hold(titles, index, element.end):
            sign = _Sign.WEAK  # what has the page's title is more than its comments
        if sign is _Sign.CERTAIN:
            certain.add(index)
        elif sign is not _Sign.NONE:
            doubtful[index] = sign
        elif is_main(element) or element.tag == "article":
            content_end = max(content_end, element.end)
    return certain, doubtful


def _is_body(element: Element) -> bool:
    return is_main(element) or ("itemprop" in element.attrs and element.get("itemprop").lower() == "articlebody")


def _places(nodes: Nodes, tags: frozenset[str]) -> list[int]:
    return [index for index, node in enumerate(nodes) if not isinstance(node, str) and node.tag in tags]


def _hold(places: list[int], start: int, stop: int) -> bool:
    return bisect_left(places, stop) > bisect_left(places, start)


def _left(nodes: Nodes, dropped: set[int], text: list[int]) -> int:
    """Return the running text outside of dropped elements, which may stand in one another."""
    left = text[-1]
    end = 0
    for index in sorted(dropped):
        if index >= end:
            end = _end(nodes, index)
            left -= text[end] - text[index]
    return left


def _end(nodes: Nodes, index: int) -> int:
    element = nodes[index]
    return index + 1 if isinstance(element, str) else element.end


def _judge(element: Element) -> _Sign:
    attrs = element.attrs
    if element.tag in _BOILERPLATE_TAGS or ("role" in attrs and element.get("role").lower() in _BOILERPLATE_ROLES):
        return _Sign.CERTAIN
    if not attrs:
        return _Sign.WEAK if element.tag == "form" else _Sign.NONE
    is_hidden = _is_hidden(element) and not _is_shown_later(element)
    sign = _Sign.WEAK if element.tag == "form" or is_hidden else _Sign.NONE
    if element.tag in _TOPIC_TAGS:
        return sign
    by_class = _judge_names(attrs.get("class") or "")
    by_id = _judge_names(attrs.get("id") or "")
    if element.tag == "section" and by_id is _Sign.WEAK:
        by_id = _Sign.NONE  # documentation generators name sections after their headings
    return max(sign, by_class, by_id)


def _is_shown_later(element: Element) -> bool:
    """Tell whether a hidden element is an image before a script loads it, or the one copy of a formula to be read."""
    if element.tag == "img":
        return any(name.startswith("data-") for name in element.attrs)
    return "mathml" in element.get("class").lower()


def _is_hidden(element: Element) -> bool:
    if "hidden" in element.attrs or ("aria-hidden" in element.attrs and element.get("aria-hidden").lower() == "true"):
        return True
    style = element.attrs.get("style")
    return bool(style) and _HIDING_STYLE.search(style or "") is not None


@lru_cache(maxsize=8192)
def _judge_names(names: str) -> _Sign:
    """Judge a class or id attribute by the whole words of its names, such as ``post-share`` or ``cookieNotice``."""
    sign = _Sign.NONE
    for name in names.split():
        words = {word.lower() for word in _WORD.findall(name)}
        if words & _STATE_WORDS:
            continue
        if words & _COMMENT_WORDS or name.lower().startswith(_COMMENT_START):
            return _Sign.COMMENTS
        if words & _BOILERPLATE_WORDS or name.lower() in _BOILERPLATE_NAMES:
            sign = _Sign.WEAK
    return sign
