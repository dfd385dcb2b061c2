"""How much text, links and images each part of a page holds."""

from collections.abc import Container
from dataclasses import dataclass, field

from curate.ingest.html.outline import Element, Nodes

_PROSE_CHARS = 50  # a text of a page's furniture is shorter, one of a sentence longer

_DENSE_PROSE_CHARS = 20  # in scripts that write a syllable or a word per character
_DENSE_SCRIPTS = "\u2e80"


@dataclass(slots=True)
class Sums:
    """Prefix sums over the nodes, dropped subtrees left out: of element ``i``, ``sums[end] - sums[i]``."""

    text: list[int] = field(default_factory=lambda: [0])
    """Characters, white space around each text not counted."""
    linked: list[int] = field(default_factory=lambda: [0])
    """Those of them inside links."""
    prose: list[int] = field(default_factory=lambda: [0])
    """Those in texts of at least 50 characters outside links."""
    links: list[int] = field(default_factory=lambda: [0])
    """Those with text."""

    def running(self, index: int, element: Element) -> int:
        """Return the characters of an element outside links; menus are made of links, and prose is not."""
        return self.text[element.end] - self.text[index] - (self.linked[element.end] - self.linked[index])


def sum_up(nodes: Nodes, dropped: Container[int]) -> Sums:
    """Return the sums of a page; anchors without ``href`` and links to the page's own parts count as text."""
    sums = Sums()
    is_new = False  # whether no text of the link has come yet
    text = linked = prose = links = link_end = index = 0
    while index < len(nodes):
        node = nodes[index]
        width = 1
        if isinstance(node, str):
            size = len(node.strip())
            text += size
            if index < link_end:
                linked += size
                links += is_new and size > 0
                is_new = is_new and not size
            elif size >= _PROSE_CHARS or (size >= _DENSE_PROSE_CHARS and node[len(node) // 2] >= _DENSE_SCRIPTS):
                prose += size
        elif index in dropped:
            width = node.end - index
        elif node.tag == "a" and (href := node.attrs.get("href")) and href[0] != "#":
            link_end = max(link_end, node.end)
            is_new = True
        for values, value in ((sums.text, text), (sums.linked, linked), (sums.prose, prose), (sums.links, links)):
            if width == 1:
                values.append(value)
            else:
                values.extend([value] * width)
        index += width
    return sums
