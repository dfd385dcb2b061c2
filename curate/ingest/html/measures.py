"""How much text, links and images each part of a page holds."""

from dataclasses import dataclass

from curate.ingest.html.outline import Nodes


@dataclass(slots=True)
class Sums:
    """Prefix sums over the nodes, dropped subtrees left out: of element ``i``, ``sums[end] - sums[i]``."""

    text: list[int]
    """Characters, white space around each text not counted."""
    linked: list[int]
    """Those of them inside links."""
    links: list[int]
    images: list[int]


def sum_up(nodes: Nodes, dropped: set[int]) -> Sums:
    """Return the sums of a page; anchors without ``href`` and links to the page's own notes count as text."""
    sums = Sums(text=[0], linked=[0], links=[0], images=[0])
    text = linked = links = images = link_end = index = 0
    while index < len(nodes):
        node = nodes[index]
        width = 1
        if isinstance(node, str):
            size = len(node.strip())
            text += size
            linked += size if index < link_end else 0
        elif index in dropped:
            width = node.end - index
        elif node.tag == "a":
            if (href := node.get("href")) and href[0] != "#":
                link_end = max(link_end, node.end)
                links += 1
        elif node.tag == "img":
            images += 1
        sums.text.extend([text] * width)
        sums.linked.extend([linked] * width)
        sums.links.extend([links] * width)
        sums.images.extend([images] * width)
        index += width
    return sums
