"""From the chosen part of a page to its items."""

import re
from dataclasses import dataclass

from curate.contract.reasons import Modality
from curate.contract.records import Item
from curate.ingest.html.image_urls import choose_image_url
from curate.ingest.html.outline import IMAGES, Element, Nodes
from curate.ingest.urls import resolve_url

_CELLS = frozenset({"td", "th"})
# Blocks that a cell of a table of data does not hold: a row with one is a piece of layout.
_STRUCTURE = frozenset(
    {"h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "table", "pre", "blockquote", "article", "section", "figure"}
)
_BLOCKS = (
    _STRUCTURE
    | _CELLS
    | frozenset(
        {"address", "aside", "body", "caption", "center", "dd", "details", "dir", "div", "dt", "fieldset", "figcaption"}
        | {"footer", "form", "header", "hgroup", "hr", "legend", "li", "main", "menu", "nav", "p", "summary", "tbody"}
        | {"tfoot", "thead", "tr"}
    )
)
_BREAK = "\n\n"  # stands for <br> until the block's white space is normalised
_CELL_SEPARATOR = " | "
# Soft hyphen, zero width space, word joiner, zero width no-break space.
_BREAK_MARKS = dict.fromkeys((0x00AD, 0x200B, 0x2060, 0xFEFF))
# Joiners, directions and variation selectors that stand beside no letter.
_MARKS_ALONE = re.compile("[\\s\u200c-\u200f\u202a-\u202e\u2061-\u206f\ufe00-\ufe0f\u034f\u115f\u1160\u3164]*")


@dataclass(frozen=True, slots=True)
class Content:
    """What a part of a page holds."""

    items: tuple[Item, ...]
    num_missing_images: int
    """Images without any address that could be fetched; they stand in no item."""


class _ItemBuilder:
    """Gathers the text of the block under way and closes it into items."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.num_missing_images = 0
        self._cells: list[list[str]] = [[]]  # pieces of text per table cell; one cell outside of tables
        self._is_row = False
        self._num_pre = 0

    def enter(self, tag: str) -> None:
        """Open an element."""
        if tag == "br":
            self._break_line()
        elif tag not in _BLOCKS:
            return
        elif tag == "pre":
            self.flush()
            self._num_pre += 1
        elif self._num_pre:
            self._start_line()
        elif self._is_row and tag in _CELLS:
            self._cells.append([])
        elif not self._is_row or tag in _STRUCTURE or _is_written(self._cells[-1]):
            self.flush()
            self._is_row = tag == "tr"

    def leave(self, tag: str) -> None:
        """Close an element."""
        if tag not in _BLOCKS:
            return
        if tag == "pre":
            self.flush()
            self._num_pre -= 1
        elif self._num_pre:
            self._start_line()
        elif not self._is_row:
            self.flush()
        elif tag == "tr":
            self.flush()
            self._is_row = False
        else:
            self.add_text(" ")

    def add_text(self, text: str) -> None:
        """Append text as it stands in the page."""
        self._cells[-1].append(text)

    def add_image(self, url: str, alt_text: str) -> None:
        """Close the block and append an image."""
        self.flush()
        self.items.append(Item(modality=Modality.IMAGE, image_url=url, alt_text=alt_text or None))

    def flush(self) -> None:
        """Close the block under way; blank ones make no item."""
        if self._num_pre:
            text = _drop_marks("".join(self._cells[-1])).strip("\r\n").rstrip()
        else:
            text = _CELL_SEPARATOR.join(filter(None, (_normalise("".join(pieces)) for pieces in self._cells)))
        if text:
            self.items.append(Item(modality=Modality.TEXT, text=text))
        self._cells = [[]]

    def _start_line(self) -> None:
        pieces = self._cells[-1]
        if pieces and not pieces[-1].endswith("\n"):
            pieces.append("\n")

    def _break_line(self) -> None:
        if self._num_pre:
            self.add_text("\n")
            return
        pieces = self._cells[-1]
        last = next((piece for piece in reversed(pieces) if piece is _BREAK or not piece.isspace()), "")
        if last is _BREAK and not self._is_row:  # two in a row: how old pages part paragraphs
            self.flush()
        else:
            pieces.append(_BREAK)


def extract_content(nodes: Nodes, dropped: set[int], *, root: int, base_url: str) -> Content:
    """Return the text and image items under ``root`` in document order.

    A text item is one block: paragraph, heading, list item, preformatted text, caption, or table row with its
    cells joined by ``" | "``. White space is normalised except in ``<pre>``. An image inside a block parts it.

    Args:
        nodes: The page.
        dropped: Elements to leave out.
        root: Index of the element to read.
        base_url: What relative image URLs are relative to.
    """
    builder = _ItemBuilder()
    open_tags: list[tuple[int, str]] = []
    first = nodes[root]
    index, stop = root, first.end if isinstance(first, Element) else root
    while index < stop:
        while open_tags and open_tags[-1][0] <= index:
            builder.leave(open_tags.pop()[1])
        node = nodes[index]
        if isinstance(node, str):
            builder.add_text(node)
        elif index in dropped:
            if node.tag in _BLOCKS:
                builder.add_text(" ")
            index = node.end
            continue
        elif node.tag in IMAGES:
            _add_image(builder, node, nodes, index, base_url)
        else:
            builder.enter(node.tag)
            open_tags.append((node.end, node.tag))
        index += 1
    for _, tag in reversed(open_tags):
        builder.leave(tag)
    builder.flush()
    return Content(tuple(builder.items), builder.num_missing_images)


def _add_image(builder: _ItemBuilder, image: Element, nodes: Nodes, index: int, base_url: str) -> None:
    url = choose_image_url(image, sources=_picture_sources(image, nodes, index))
    if url is None:
        builder.num_missing_images += 1
    else:
        builder.add_image(resolve_url(base_url, url), _normalise(image.get("alt")))


def _picture_sources(image: Element, nodes: Nodes, index: int) -> list[Element]:
    parent = nodes[image.parent] if image.parent >= 0 else ""
    if isinstance(parent, str) or parent.tag != "picture":
        return []
    before = nodes[image.parent + 1 : index]
    return [node for node in before if isinstance(node, Element) and node.tag == "source"]


def _is_written(pieces: list[str]) -> bool:
    return any(not piece.isspace() for piece in pieces)


def _normalise(text: str) -> str:
    return " ".join(_drop_marks(text).split())


def _drop_marks(text: str) -> str:
    """Drop marks that only steer line breaks; joiners and directions stay, for they change how words are read."""
    if text.isascii():
        return text
    text = text.translate(_BREAK_MARKS)
    return "" if _MARKS_ALONE.fullmatch(text) else text
