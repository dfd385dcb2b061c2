"""The title and the lead picture of an article that stand above the element with its text."""

from curate.ingest.html.measures import Sums
from curate.ingest.html.outline import Element, Nodes, live_elements

_PICTURES = frozenset({"figure", "img", "picture", "amp-img"})
_MAX_PICTURES = 2
_MAX_PROSE_CHARS = 600  # between title and text; more is another article


def add_lead(nodes: Nodes, dropped: set[int], sums: Sums, *, root: int) -> tuple[int, set[int]]:
    """Return the element that holds title and text, and what to drop in it besides: all but these and lead pictures.

    Where the text has a title of its own, or the page has none before it, that is ``root`` and nothing.

    Args:
        nodes: The page.
        dropped: What is left out already.
        sums: Of the rest.
        root: Index of the element with the text.
    """
    titles = [index for index, _ in live_elements(nodes, dropped, tags={"h1"}) if index < _end(nodes, root)]
    if not titles or titles[-1] > root:
        return root, set()
    title = titles[-1]
    if _end(nodes, title) > root or sums.prose[root] - sums.prose[title] > _MAX_PROSE_CHARS:
        return root, set()
    top = root
    while _parent(nodes, top) >= 0 and top > title:
        top = _parent(nodes, top)
    pictures = _outermost(nodes, dropped, start=_end(nodes, title), stop=root)
    kept = [title, *pictures[:_MAX_PICTURES], root]
    return top, _all_but(nodes, kept, top=top) - dropped


def _outermost(nodes: Nodes, dropped: set[int], *, start: int, stop: int) -> list[int]:
    """Return the pictures in a part of the page, each with its figure."""
    found: list[int] = []
    index = start
    while index < stop:
        node = nodes[index]
        if isinstance(node, str):
            index += 1
        elif index in dropped:
            index = node.end
        elif node.tag in _PICTURES and node.end <= stop:
            found.append(index)
            index = node.end
        else:
            index += 1
    return found


def _all_but(nodes: Nodes, kept: list[int], *, top: int) -> set[int]:
    """Return the outermost elements under ``top`` that hold nothing of what is kept, in ascending order."""
    found: set[int] = set()
    left = list(reversed(kept))
    index = top + 1
    while index < _end(nodes, top):
        node = nodes[index]
        if isinstance(node, str):
            index += 1
            continue
        if left and index == left[-1]:
            left.pop()
            index = node.end
        elif left and index < left[-1] < node.end:
            index += 1
        else:
            found.add(index)
            index = node.end
    return found


def _parent(nodes: Nodes, index: int) -> int:
    element = nodes[index]
    return element.parent if isinstance(element, Element) else -1


def _end(nodes: Nodes, index: int) -> int:
    element = nodes[index]
    return index + 1 if isinstance(element, str) else element.end
