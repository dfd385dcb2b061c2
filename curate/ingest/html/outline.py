"""A page's tree as one flat list, which every later step passes over without recursion.

Node ``i`` is a text (``str``) or an :class:`Element`; the subtree of an element at ``i`` is ``nodes[i + 1 : end]``.
So skipping a subtree is a jump, and any sum over a subtree is a difference of two prefix sums.
"""

from collections.abc import Container, Iterator
from dataclasses import dataclass

from selectolax.lexbor import LexborNode

from curate.ingest.html.formulas import is_drawing, read_formula
from curate.ingest.html.inline_pictures import picture_text

MAX_NODES = 500_000
"""A page with more is cut there. Ordinary pages have hundreds to tens of thousands."""

_MAX_IMAGES_ALONE = 20

IMAGES = frozenset({"img", "amp-img"})
"""Elements that are an image."""

NEVER_CONTENT = frozenset(
    {"script", "style", "template", "head", "title", "svg", "canvas", "iframe", "frame", "frameset"}
    | {"object", "embed", "applet", "audio", "video", "map", "button", "select", "datalist", "textarea", "input"}
    | {"progress", "meter", "dialog", "rp"}
)
"""Elements that hold no text or image of an article wherever they stand; they are not even listed."""


# The text of <noscript> asks for a script, that of a button for a click; a picture in one opens in full size.
_IMAGES_ALONE = frozenset({"noscript", "button"})
_FORMULAS = frozenset({"math", "script"})
_SPECIAL = NEVER_CONTENT | _FORMULAS | _IMAGES_ALONE
_DRAWING_TAGS = frozenset({"span", "div"})


@dataclass(slots=True)
class Element:
    """One element of the page."""

    tag: str
    attrs: dict[str, str | None]
    parent: int
    """Index of the parent; -1 for the root."""
    end: int = 0
    """Index after its last descendant."""

    def get(self, name: str) -> str:
        """Return an attribute without white space around it; empty where it is absent or has no value."""
        return (self.attrs.get(name) or "").strip()


Nodes = list[Element | str]


def build_outline(root: LexborNode) -> Nodes:
    """Return the subtree of ``root`` in document order, comments and never-content elements left out."""
    nodes: Nodes = []
    open_nodes: list[tuple[LexborNode, int]] = []
    node = root
    while True:
        child = _list_node(node, nodes, parent=open_nodes[-1][1] if open_nodes else -1)
        if child is not None and len(nodes) < MAX_NODES:
            open_nodes.append((node, len(nodes) - 1))
            node = child
            continue
        following = node.next if open_nodes else None
        while following is None or len(nodes) >= MAX_NODES:
            if not open_nodes:
                return nodes
            node, index = open_nodes.pop()
            _close(nodes, index)
            following = node.next if open_nodes else None
        node = following


def _list_node(node: LexborNode, nodes: Nodes, *, parent: int) -> LexborNode | None:
    """Append ``node`` if it counts and return its first child, if that has to be visited next."""
    if node.is_text_node:
        nodes.append(node.text_content or "")
    elif node.is_element_node:
        tag = node.tag or ""
        if tag not in _SPECIAL:
            return _list_element(node, tag, nodes, parent=parent)
        if tag in _IMAGES_ALONE:
            _list_images(node, tag, nodes, parent=parent)
        elif tag in _FORMULAS and (formula := read_formula(node, tag)) is not None:
            nodes.append(formula)
    return None


def _list_element(node: LexborNode, tag: str, nodes: Nodes, *, parent: int) -> LexborNode | None:
    attrs = node.attributes or {}
    if tag == "img" and (text := picture_text(attrs)) is not None:
        nodes.append(text)
        return None
    if tag in _DRAWING_TAGS and "class" in attrs and is_drawing(node, attrs):
        return None
    nodes.append(Element(tag=tag, attrs=attrs, parent=parent, end=len(nodes) + 1))
    return node.first_child


def _list_images(node: LexborNode, tag: str, nodes: Nodes, *, parent: int) -> None:
    """Append an element with its images alone, if it has any."""
    images = node.css("img")[:_MAX_IMAGES_ALONE]
    if not images:
        return
    index = len(nodes)
    nodes.append(Element(tag=tag, attrs={}, parent=parent, end=index + 1 + len(images)))
    for image in images:
        nodes.append(Element(tag="img", attrs=image.attributes or {}, parent=index, end=len(nodes) + 1))


def _close(nodes: Nodes, index: int) -> None:
    element = nodes[index]
    if isinstance(element, Element):
        element.end = len(nodes)


def live_elements(
    nodes: Nodes, dropped: Container[int], *, root: int = 0, tags: Container[str] | None = None
) -> Iterator[tuple[int, Element]]:
    """Yield the elements under ``root`` (itself included) that stand in no dropped subtree.

    Args:
        nodes: The page.
        dropped: Indices of elements that go with all they hold; the caller may add the one just yielded.
        root: Where to start.
        tags: Only these; null means all.
    """
    first = nodes[root]
    index, stop = root, first.end if isinstance(first, Element) else root
    while index < stop:
        node = nodes[index]
        if isinstance(node, str):
            index += 1
        elif index in dropped:
            index = node.end
        else:
            if tags is None or node.tag in tags:
                yield index, node
            index = node.end if index in dropped else index + 1


def text_before(nodes: Nodes, dropped: Container[int]) -> list[int]:
    """Return prefix sums of running text: characters outside links and dropped subtrees, white space not counted.

    Links count for nothing, since menus are made of them and prose is not. The text of element ``i`` is
    ``sums[nodes[i].end] - sums[i]``.
    """
    sums = [0]
    total = link_end = dropped_end = 0
    for index, node in enumerate(nodes):
        if isinstance(node, str):
            if index >= link_end and index >= dropped_end:
                total += len(node.strip())
        elif index in dropped:
            dropped_end = max(dropped_end, node.end)
        elif node.tag == "a":
            link_end = max(link_end, node.end)
        sums.append(total)
    return sums
