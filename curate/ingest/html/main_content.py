"""Which element holds the page's content."""

from curate.ingest.html.boilerplate import is_article, is_main
from curate.ingest.html.outline import Element, Nodes, count_before, live_elements, text_before

_MIN_MAIN_SHARE = 0.1  # a <main> with less of the page's running text is mislabelled
_MIN_ARTICLE_SHARE = 0.5  # an article with less is one teaser among several
_MIN_CHILD_SHARE = 0.6  # a container is left for the one child that has this much of its running text

_CONTAINERS = frozenset(
    ["div", "section", "article", "main", "center", "form", "table", "tbody", "tr", "td", "font", "span", "body"]
)


def choose_root(nodes: Nodes, dropped: set[int]) -> int:
    """Return the index of the element whose live content is the page's.

    In this order: the article with at least half of the running text of all articles (and of ``<main>``, if there is
    one); ``<main>`` or ``role="main"``; the densest container, found by going down from the body for as long as one
    child has most of the text and no ``<h1>`` is left behind.

    Args:
        nodes: The page; node 0 is its body.
        dropped: Its boilerplate.
    """
    text = text_before(nodes, dropped)

    def weigh(index: int) -> int:
        element = nodes[index]
        return text[element.end] - text[index] if isinstance(element, Element) else 0

    main = max((i for i, element in live_elements(nodes, dropped) if is_main(element)), key=weigh, default=None)
    if main is not None and weigh(main) < _MIN_MAIN_SHARE * text[-1]:
        main = None
    articles = _outermost_articles(nodes, dropped, root=main or 0)
    article = max(articles, key=weigh, default=None)
    if article is not None:
        rivals = max(sum(weigh(i) for i in articles), weigh(main) if main is not None else 0)
        if weigh(article) >= _MIN_ARTICLE_SHARE * rivals and weigh(article) >= _MIN_MAIN_SHARE * text[-1]:
            return article
    return main if main is not None else _densest(nodes, dropped, text)


def _outermost_articles(nodes: Nodes, dropped: set[int], *, root: int) -> list[int]:
    found: list[int] = []
    end = 0
    for index, element in live_elements(nodes, dropped, root=root):
        if index >= end and is_article(element):
            found.append(index)
            end = element.end
    return found


def _densest(nodes: Nodes, dropped: set[int], text: list[int]) -> int:
    titles = count_before(nodes, lambda element: element.tag == "h1")
    current = 0
    while True:
        parent = nodes[current]
        if isinstance(parent, str):
            return current
        weight = text[parent.end] - text[current]
        child = next(
            (
                (index, element)
                for index, element in _children(nodes, dropped, current)
                if weight and text[element.end] - text[index] >= _MIN_CHILD_SHARE * weight
            ),
            None,
        )
        if child is None:
            return current
        index, element = child
        is_container = element.tag in _CONTAINERS or "-" in element.tag
        leaves_title = titles[element.end] - titles[index] < titles[parent.end] - titles[current]
        if not is_container or leaves_title:
            return current
        current = index


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
