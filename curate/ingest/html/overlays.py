"""Drawings in pieces: a picture with labels that style sheets lay over it, as tools for maps and charts export them.

Read in order, the labels are numbers and single words without a sentence, and the picture without them says nothing.
"""

import re
from collections import Counter

from curate.ingest.html.outline import Element, Nodes

_PLACED = re.compile(r"(?=.*(?<![-\w])(?:top|bottom)\s*:)(?=.*(?<![-\w])(?:left|right)\s*:)", re.IGNORECASE | re.DOTALL)
_MIN_LABELS = 3
_MAX_LABEL_CHARS = 120  # a mean above that is no drawing
_MAX_NODES = 1_000
_MAX_STYLE_CHARS = 500


def find_drawings(nodes: Nodes) -> set[int]:
    """Return the elements to drop: those that hold a picture and at least three short texts placed by offsets."""
    labels: Counter[int] = Counter()
    for node in nodes:
        if isinstance(node, Element) and (style := node.attrs.get("style")) and node.parent > 0:
            labels[node.parent] += len(style) <= _MAX_STYLE_CHARS and _PLACED.match(style) is not None
    return {parent for parent, count in labels.items() if count >= _MIN_LABELS and _is_drawing(nodes, parent, count)}


def _is_drawing(nodes: Nodes, parent: int, num_labels: int) -> bool:
    element = nodes[parent]
    if isinstance(element, str) or element.end - parent > _MAX_NODES:
        return False
    has_picture = False
    chars = 0
    for node in nodes[parent + 1 : element.end]:
        if isinstance(node, str):
            chars += len(node.strip())
        elif node.tag == "img":
            has_picture = has_picture or node.parent == parent
    return has_picture and chars <= _MAX_LABEL_CHARS * num_labels
