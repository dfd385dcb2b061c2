"""Which element holds the page's content."""

import re
from bisect import bisect_left

from curate.ingest.html.boilerplate import is_article, is_main
from curate.ingest.html.measures import Sums
from curate.ingest.html.outline import Element, Nodes, live_elements

_MIN_MAIN_SHARE = 0.1  # a <main> with less of the page's running text is mislabelled
_MIN_ARTICLE_SHARE = 0.5  # an article with less is one teaser among several
_MIN_NAMED_SHARE = 0.5  # of the prose of what was chosen before
_MIN_CHILD_SHARE = 0.7  # a container is left for the one child that has this much of its prose

_MAX_LEAD_SHARE = 1.2  # an article with its title and summary, beside its body alone

_CONTAINERS = frozenset(
    ["div", "section", "article", "main", "center", "form", "table", "tbody", "tr", "td", "font", "span", "body"]
)
_BODY_NAME = re.compile(
    r"(?:^|[\s_-])(?:article|story|post|entry|news|blog|page|text)[_-]*(?:body|content|contents|text)(?:$|[\s_-])"
    r"|(?:article|story|post)(?:Body|Content|Text)",
    re.ASCII,
)


def choose_root(nodes: Nodes, dropped: set[int], sums: Sums) -> int:
    """Return the index of the element whose live content is the page's.

    In this order: the article with at least half of the running text of all articles (and of ``<main>``, if there is
    one); ``<main>`` or ``role="main"``; what is named as the body of an article and has most of the prose; the densest
    container, found by going down from the body for as long as one child has most of the prose.

    Args:
        nodes: The page; node 0 is its body.
        dropped: Its boilerplate.
        sums: Of what is not dropped.
    """

    def weigh(index: int) -> int:
        element = nodes[index]
        return sums.running(index, element) if isinstance(element, Element) else 0

    total = weigh(0)
    main = max((i for i, element in live_elements(nodes, dropped) if is_main(element)), key=weigh, default=None)
    if main is not None and weigh(main) < _MIN_MAIN_SHARE * total:
        main = None
    articles = _outermost_articles(nodes, dropped, root=main or 0)
    article = max(articles, key=weigh, default=None)
    if article is not None:
        rivals = max(sum(weigh(i) for i in articles), weigh(main) if main is not None else 0)
        if weigh(article) >= _MIN_ARTICLE_SHARE * rivals and weigh(article) >= _MIN_MAIN_SHARE * total:
            return article
    if main is not None:
        return main
    named = _named_body(nodes, dropped, sums)
    return _densest(nodes, dropped, sums) if named is None else _climb(nodes, named, sums)


def _outermost_articles(nodes: Nodes, dropped: set[int], *, root: int) -> list[int]:
    found: list[int] = []
    end = 0
    for index, element in live_elements(nodes, dropped, root=root):
        if index >= end and is_article(element):
            found.append(index)
            end = element.end
    return found


def _named_body(nodes: Nodes, dropped: set[int], sums: Sums) -> int | None:
    """Return the innermost element that is named so and holds most of the page's prose."""
    found = None
    least = _MIN_NAMED_SHARE * sums.prose[-1]
    for index, element in live_elements(nodes, dropped, tags=_CONTAINERS):
        if sums.prose[element.end] - sums.prose[index] <= least or element.tag == "body":
            continue
        if _BODY_NAME.search(element.get("class")) or _BODY_NAME.search(element.get("id")):
            found = index
    return found


def _climb(nodes: Nodes, index: int, sums: Sums) -> int:
    """Return the outermost element that has little more text: a title, a summary, a lead picture with its caption."""
    first = nodes[index]
    if isinstance(first, str):
        return index
    most = _MAX_LEAD_SHARE * sums.running(index, first)
    element = first
    while element.parent > 0:
        parent = nodes[element.parent]
        if isinstance(parent, str) or sums.running(element.parent, parent) > most:
            break
        index, element = element.parent, parent
    return index


def _densest(nodes: Nodes, dropped: set[int], sums: Sums) -> int:
    prose = sums.prose
    if not prose[-1]:  # nothing but short lines
        prose = [text - linked for text, linked in zip(sums.text, sums.linked, strict=True)]
    titles = [index for index, node in enumerate(nodes) if isinstance(node, Element) and node.tag == "h1"]
    current = 0
    while True:
        parent = nodes[current]
        if isinstance(parent, str):
            return current
        weight = prose[parent.end] - prose[current]
        child = next(
            (
                (index, element)
                for index, element in _children(nodes, dropped, current)
                if weight and prose[element.end] - prose[index] >= _MIN_CHILD_SHARE * weight
            ),
            None,
        )
        if child is None:
            return current
        index, element = child
        is_container = element.tag in _CONTAINERS or "-" in element.tag
        leaves_title = _count(titles, index, element) < _count(titles, current, parent)
        if not is_container or leaves_title:
            return current
        current = index


def _count(places: list[int], index: int, element: Element) -> int:
    return bisect_left(places, element.end) - bisect_left(places, index)


def _children(nodes: Nodes, dropped: set[int], parent: int) -> list[tuple[int, Element]]:
    element = nodes[parent]
    index, stop = parent + 1, element.end if isinstance(element, Element) else parent
    found = []
    while index < stop:
        node = nodes[index]
        if isinstance(node, str):
            index += 1
            continue
        if index not in dropped:
            found.append((index, node))
        index = node.end
    return found
