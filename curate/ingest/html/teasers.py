"""Blocks inside the chosen part of a page that lead away from it: related links, teasers of other pages, tag lists.

They bear no name that tells them apart on every site, but they are made alike: their text is links, or each of
several like-shaped neighbours has a link, a picture and a line.
"""

from collections import Counter

from curate.ingest.html.measures import Sums
from curate.ingest.html.outline import Element, Nodes, live_elements

_CONTAINERS = frozenset({"div", "section", "ul", "ol", "dl", "table", "article", "li", "p", "center", "figure"})
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_ITEMS = frozenset({"li", "p"})
_LISTS = frozenset({"ul", "ol", "dl", "table"})

_MAX_LINK_SHARE = 0.6  # of the text of a block; prose with many references stays below it
_MAX_LISTED_SHARE = 0.8
_MIN_LINKS = 2
_LONG_PROSE_CHARS = 140  # running text of a block that says something itself, about one sentence and a half
_PROSE_CHARS = 300
_MIN_ALIKE = 3  # like-shaped neighbours that make a list of teasers
_MAX_TEASER_CHARS = 400
_MAX_TEASER_NODES = 120
_MIN_LEFT = 0.1  # of the content's text
_MAX_SHARE = 0.4  # of the content's running text; what holds more is the content


def find_teasers(nodes: Nodes, dropped: set[int], sums: Sums, *, root: int) -> set[int]:
    """Return the indices of the elements under ``root`` to drop besides ``dropped``, with all they hold.

    Of a page that is nothing but links, nothing is dropped: there they are the content.
    """
    top = nodes[root]
    if isinstance(top, str):
        return set()
    most = _MAX_SHARE * sums.running(root, top)
    found: set[int] = set()
    alike = _like_shaped(nodes, dropped, sums, root=root, most=most)
    gone = set(dropped)
    left = whole = sums.text[top.end] - sums.text[root]
    for index, element in live_elements(nodes, gone, root=root, tags=_CONTAINERS):
        if index == root or sums.running(index, element) > most:
            continue
        if element.tag in _LISTS and _stands_in_prose(sums, index, element, top=top, root=root):
            continue
        if index in alike or (element.tag not in _ITEMS and _is_link_list(sums, index, element)):
            found.add(index)
            gone.add(index)
            left -= sums.text[element.end] - sums.text[index]
    return found | _orphaned_headings(nodes, gone, root=root) if left > _MIN_LEFT * whole else set()


def _stands_in_prose(sums: Sums, index: int, element: Element, *, top: Element, root: int) -> bool:
    """Tell whether the content goes on behind a list; what an author lists amid his text is part of it."""
    before = sums.text[index] - sums.text[root] - (sums.linked[index] - sums.linked[root])
    behind = sums.text[top.end] - sums.text[element.end] - (sums.linked[top.end] - sums.linked[element.end])
    return min(before, behind) > _PROSE_CHARS


def _is_link_list(sums: Sums, index: int, element: Element) -> bool:
    text = sums.text[element.end] - sums.text[index]
    linked = sums.linked[element.end] - sums.linked[index]
    links = sums.links[element.end] - sums.links[index]
    if links < _MIN_LINKS or text - linked > _LONG_PROSE_CHARS * links:
        return False
    return linked > (_MAX_LISTED_SHARE if element.tag in _LISTS else _MAX_LINK_SHARE) * text


def _like_shaped(nodes: Nodes, dropped: set[int], sums: Sums, *, root: int, most: float) -> set[int]:
    """Return blocks that stand among several of their shape, each with links to one page around picture and text.

    Where they hold more running text than ``most`` together, they are the parts of a list that is the content.
    """
    shapes: dict[tuple[int, str, str], list[tuple[int, int]]] = {}
    for index, element in live_elements(nodes, dropped, root=root, tags=_CONTAINERS):
        if index != root and _is_teaser(nodes, sums, index, element):
            shape = (element.parent, element.tag, element.get("class"))
            shapes.setdefault(shape, []).append((index, sums.running(index, element)))
    groups = [group for group in shapes.values() if len(group) >= _MIN_ALIKE]
    return {index for group in groups if sum(chars for _, chars in group) <= most for index, _ in group}


def _is_teaser(nodes: Nodes, sums: Sums, index: int, element: Element) -> bool:
    text = sums.text[element.end] - sums.text[index]
    linked = sums.linked[element.end] - sums.linked[index]
    if not linked or text > _MAX_TEASER_CHARS or element.end - index > _MAX_TEASER_NODES:
        return False
    return _one_target(nodes, index, element)


def _one_target(nodes: Nodes, index: int, element: Element) -> bool:
    """Tell whether a picture and a text of the block lead to one and the same page."""
    targets: Counter[str] = Counter()
    with_image: set[str] = set()
    link_end, href = 0, ""
    for place in range(index, element.end):
        node = nodes[place]
        if isinstance(node, str):
            if place < link_end and node.strip():
                targets[href] += 1
        elif node.tag == "a" and node.get("href"):
            link_end, href = node.end, node.get("href")
        elif node.tag == "img" and place < link_end:
            with_image.add(href)
    return any(targets[target] for target in with_image)


def _orphaned_headings(nodes: Nodes, dropped: set[int], *, root: int) -> set[int]:
    """Return the headings after which everything up to the next heading or the end was dropped."""
    found: set[int] = set()
    last: int | None = None
    is_bare = was_cut = False
    first = nodes[root]
    index, stop = root, first.end if isinstance(first, Element) else root
    while index < stop:
        node = nodes[index]
        if isinstance(node, str):
            is_bare = is_bare and not node.strip()
            index += 1
        elif index in dropped:
            was_cut = True
            index = node.end
        elif node.tag in _HEADINGS:
            if last is not None and is_bare and was_cut:
                found.add(last)
            last, is_bare, was_cut = index, True, False
            index = node.end
        else:
            is_bare = is_bare and node.tag != "img"
            index += 1
    if last is not None and is_bare and was_cut:
        found.add(last)
    return found
