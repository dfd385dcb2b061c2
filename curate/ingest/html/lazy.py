"""Images that a script would fill in, and that ``<noscript>`` holds whole for readers without scripts."""

from collections.abc import Iterator

from curate.ingest.html.image_urls import choose_image_url, file_name
from curate.ingest.html.outline import IMAGES, Element, Nodes

_MAX_STANDINS = 3  # a preview, a frame and an empty image: the most that is seen before one <noscript>
_MAX_WAY = 24  # nodes looked at on either side
_MAX_LEVELS = 4  # how far up the two have a parent in common


def find_standins(nodes: Nodes) -> set[int]:
    """Return the images to drop because a ``<noscript>`` beside them holds the same picture with its address.

    Such a stand-in has no address of its own, or that of the same file in another size, or is the one neighbour. Where
    the image before or after has the very address, the copy in ``<noscript>`` goes instead.
    """
    found: set[int] = set()
    for index, node in enumerate(nodes):
        if isinstance(node, Element) and node.tag == "noscript":
            found |= _judge(nodes, index, node)
    return found


def _judge(nodes: Nodes, index: int, noscript: Element) -> set[int]:
    image = nodes[index + 1]
    if isinstance(image, str):
        return set()
    url = choose_image_url(image) or ""
    for places in (range(index - 1, max(-1, index - _MAX_WAY), -1), range(noscript.end, noscript.end + _MAX_WAY)):
        beside = list(_images_beside(nodes, noscript, places))
        if any(choose_image_url(other) == url for _, other in beside):
            return set(range(index + 1, noscript.end))
        standins = {place for place, other in beside if _is_standin(other, url, noscript.parent)}
        if standins:
            _hand_over([nodes[place] for place in sorted(standins)], image)
            return standins
    return set()


def _images_beside(nodes: Nodes, noscript: Element, places: range) -> Iterator[tuple[int, Element]]:
    """Yield the images up to the next text or ``<noscript>``, nearest first."""
    left = _MAX_STANDINS
    for place in places:
        if place >= len(nodes) or not left:
            return
        node = nodes[place]
        if isinstance(node, str):
            if node.strip():
                return
        elif node.tag == "noscript" or _is_noscript(nodes, node.parent):
            return
        elif node.tag in IMAGES and (place == noscript.parent or _are_near(nodes, node, noscript)):
            left -= 1
            yield place, node


def _is_noscript(nodes: Nodes, index: int) -> bool:
    node = nodes[index] if index >= 0 else ""
    return not isinstance(node, str) and node.tag == "noscript"


def _are_near(nodes: Nodes, first: Element, second: Element) -> bool:
    return bool(_ancestors(nodes, first) & _ancestors(nodes, second))


def _ancestors(nodes: Nodes, element: Element) -> set[int]:
    found = set()
    for _ in range(_MAX_LEVELS):
        if element.parent <= 0:
            break
        found.add(element.parent)
        parent = nodes[element.parent]
        if isinstance(parent, str):
            break
        element = parent
    return found or {element.parent}


def _is_standin(image: Element, url: str, parent: int) -> bool:
    own = choose_image_url(image)
    return own is None or image.parent == parent or file_name(own) == file_name(url) != ""


def _hand_over(standins: list[Element | str], image: Element) -> None:
    """Give the image what only its stand-ins say: alternative text and size."""
    for standin in standins:
        if isinstance(standin, Element):
            for name in ("alt", "width", "height", "class"):
                if not image.get(name) and standin.get(name):
                    image.attrs[name] = standin.get(name)
