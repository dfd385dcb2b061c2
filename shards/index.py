"""Where each sample lies in its tar, and what the index says of it.

USTAR stores a part as one 512-byte header and its content, padded with zeros to the next block. Names here are far
shorter than the header's 100 bytes, so no part ever needs a second header and offsets are plain arithmetic.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from curate.contract.schemas import SHARD_INDEX, table_from_rows

TAR_BLOCK_BYTES = 512
SHARD_DIGITS = 5
"""Of a shard's number, in its file name and at the start of its samples' keys."""
SHARD_PATTERN = re.compile(rf"\d{{{SHARD_DIGITS}}}\.tar")
"""Of the names of tars."""
SEQUENCE_DIGITS = 6
"""Of a sample's number in its shard, at the end of its key."""


def padded_bytes(num_bytes: int) -> int:
    """Return ``num_bytes`` rounded up to whole tar blocks."""
    return -(-num_bytes // TAR_BLOCK_BYTES) * TAR_BLOCK_BYTES


def place_parts(sizes: Sequence[tuple[str, int]], *, offset: int) -> tuple[list[dict[str, Any]], int]:
    """Lay adjacent parts out from ``offset``.

    Args:
        sizes: Name and content bytes of each part, in stored order.
        offset: Of the first part's header, in bytes from the start of the tar.

    Returns:
        The rows of the index column ``parts``, and the offset after the last padded part.
    """
    parts = []
    for name, num_bytes in sizes:
        content = offset + TAR_BLOCK_BYTES
        parts.append({"name": name, "offset": content, "num_bytes": num_bytes})
        offset = content + padded_bytes(num_bytes)
    return parts, offset


def index_row(
    record: Mapping[str, Any], *, key: str, shard: str, offset: int, parts: list[dict[str, Any]]
) -> dict[str, object]:
    """Return one row of SHARD_INDEX from a sample's JSON record and the places of its parts.

    Words are runs of non-space characters and characters are code points, over all text items.
    """
    texts = [item["text"] for item in record["items"] if item["type"] == "text"]
    images = [item for item in record["items"] if item["type"] == "image"]
    end = parts[-1]["offset"] + padded_bytes(parts[-1]["num_bytes"])
    return {
        "key": key,
        "shard": shard,
        "offset": offset,
        "num_bytes": end - offset,
        "parts": parts,
        "doc_id": record["doc_id"],
        "source": record["source"],
        "kind": record["kind"],
        "num_images": len(images),
        "num_chars": sum(map(len, texts)),
        "num_words": sum(len(text.split()) for text in texts),
        "image_widths": [image["width"] for image in images],
        "image_heights": [image["height"] for image in images],
    }


def index_table(rows: list[dict[str, object]]) -> pa.Table:
    """Return rows as one table of schema SHARD_INDEX."""
    return table_from_rows(rows, SHARD_INDEX)
