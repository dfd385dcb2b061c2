"""JPEG 2000: what a decoder sets up before it reads pixels, which grows with tiles times components."""

import math
import struct

from curate.contract.reasons import FetchStatus
from curate.fetch.errors import FetchError

MAX_COMPONENTS = 5
"""CMYK and alpha; the format allows 16,384."""

MAX_TILES = 4_096
"""OpenJPEG keeps some 6 KB of each; the format allows 65,535."""

_START, _SIZE = b"\xff\x4f", b"\xff\x51"
_SIZE_FIELDS = struct.Struct(">H8IH")  # capabilities, image, its offset, tile, its offset, components (T.800, A.5.1)
_SEGMENT_BYTES = 4


def check_tiles(data: bytes) -> None:
    """Refuse a file of more tiles or components than images have.

    Raises:
        FetchError: BROKEN_IMAGE.
    """
    fields = _size_fields(data, _codestream(data))
    if fields is None:
        raise FetchError(FetchStatus.BROKEN_IMAGE, "no size in the codestream")
    _, width, height, _, _, tile_width, tile_height, left, top, num_components = fields
    if not tile_width or not tile_height:
        raise FetchError(FetchStatus.BROKEN_IMAGE, "empty tiles")
    num_tiles = math.ceil(max(0, width - left) / tile_width) * math.ceil(max(0, height - top) / tile_height)
    if num_components > MAX_COMPONENTS or num_tiles > MAX_TILES:
        raise FetchError(FetchStatus.BROKEN_IMAGE, f"{num_tiles} tiles of {num_components} components")


def _codestream(data: bytes) -> int:
    """Return where the codestream begins: at once, or in a box of its own (T.800, I.4)."""
    position = 0
    while data[position : position + 2] != _START and position + 8 <= len(data):
        num_bytes, kind = struct.unpack_from(">I4s", data, position)
        head = 8
        if num_bytes == 1 and position + 16 <= len(data):
            num_bytes, head = int.from_bytes(data[position + 8 : position + 16], "big"), 16
        if kind == b"jp2c":
            return position + head
        if num_bytes < head:
            return len(data)
        position += num_bytes
    return position


def _size_fields(data: bytes, start: int) -> tuple[int, ...] | None:
    """Return what the size segment says; it is the first of the codestream (T.800, A.5.1)."""
    at = start + len(_START) + _SEGMENT_BYTES
    if data[start : start + 4] != _START + _SIZE or at + _SIZE_FIELDS.size > len(data):
        return None
    return _SIZE_FIELDS.unpack_from(data, at)
