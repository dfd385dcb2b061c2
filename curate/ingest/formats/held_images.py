"""Images that stand in a row themselves: binary columns, Hugging Face's ``{bytes, path}``, base64 in JSON."""

import base64
import binascii
from dataclasses import dataclass

from curate.ingest.files.faults import ColumnError, RecordError
from curate.ingest.files.row import Found, Row, find_field

IMAGE_COLUMNS = ("image", "img", "jpg", "jpeg", "png", "webp", "image_bytes", "image_base64", "picture")
"""Columns looked into where the recipe names none."""
HELD = "held:"
"""Begins the name of an image that has no URL."""
_MIN_BASE64_CHARS = 64
"""Shorter text is a name or an id."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldImage:
    """An image in a row."""

    data: bytes
    path: tuple[str, ...]
    """Of its column."""


def find_held_image(row: Row, column: str | None) -> HeldImage | None:
    """Return the image that a row holds; None if it holds none.

    Args:
        row: The record.
        column: The name that the recipe gives, if any; a row of which it holds no image is a fault.

    Raises:
        ColumnError: There is no such column.
        RecordError: It holds no image.
    """
    try:
        found = find_field(row, column, usual=IMAGE_COLUMNS, what="image")
    except ColumnError:
        if column is None:
            return None
        raise
    data = _bytes_of(found, is_named=column is not None)
    if data:
        return HeldImage(data=data, path=found.path)
    if column is not None:
        raise RecordError(f"{found.name} holds no image")
    return None


def _bytes_of(found: Found, *, is_named: bool) -> bytes | None:
    value = found.value
    if isinstance(value, dict):
        value = value.get("bytes")
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    if not isinstance(value, str) or value.startswith(("http://", "https://")):
        return None
    text = value.partition(",")[2] if value.startswith("data:") else value
    if not is_named and len(text) < _MIN_BASE64_CHARS:
        return None
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
