"""Images that stand in a row themselves: binary columns, Hugging Face's ``{bytes, path}``, base64 in JSON."""

import base64
import binascii
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from curate.ingest.files.faults import ColumnError, RecordError
from curate.ingest.files.row import Found, Row, find_field

IMAGE_COLUMNS = ("image", "img", "jpg", "jpeg", "png", "webp", "image_bytes", "image_base64", "picture")
"""Columns looked into where the recipe names none."""
HELD = "held:"
"""Begins the name of an image that has no URL."""
_MAGIC = re.compile(rb"\xff\xd8\xff|\x89PNG|GIF8|RIFF....WEBP|BM|II\*\0|MM\0\*|....ftyp|\0\0\0\x0cjP", re.DOTALL)
"""How pictures begin."""


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
    if column is not None:
        found = find_field(row, column, usual=(), what="image")
        data = _bytes_of(found.value, is_named=True)
        if not data:
            raise RecordError(f"{found.name} holds no image")
        return HeldImage(data=data, path=found.path)
    for found in _usual_columns(row):
        data = _bytes_of(found.value, is_named=False)
        if data:
            return HeldImage(data=data, path=found.path)
    return None


def names_image_column(row: Row) -> bool:
    """Say whether a row has a column that images usually stand in, if nothing is in it."""
    return next(_usual_columns(row), None) is not None


def _usual_columns(row: Row) -> Iterator[Found]:
    for name in IMAGE_COLUMNS:
        with suppress(ColumnError):
            yield find_field(row, None, usual=(name,), what="image")


def _bytes_of(value: Any, *, is_named: bool) -> bytes | None:
    if isinstance(value, dict):
        value = value.get("bytes")
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    if not isinstance(value, str) or value.startswith(("http://", "https://")):
        return None
    text = value.partition(",")[2] if value.startswith("data:") else value
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if is_named or _MAGIC.match(data) else None  # a hash or a path may be good base64 too
