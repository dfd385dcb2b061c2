"""Identifiers that depend on content and input order only, never on the engine's layout."""

import hashlib
from typing import Any

DOC_ID_HEX_DIGITS = 16


def doc_id(source: str, native_id: str, ordinal: str) -> str:
    """Return the id of a document: 16 hex digits (64 bits).

    Args:
        source: Name of the source in the recipe.
        native_id: The document's own id or URL; empty where the format has none.
        ordinal: Where the record stands in its source, such as ``part.jsonl#17``. It keeps repeated URLs apart.
    """
    # A NUL cannot occur in the fields, so no two triples share one joined string.
    joined = f"{source}\0{native_id}\0{ordinal}"
    return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()[:DOC_ID_HEX_DIGITS]


def sha256_hex(data: bytes) -> str:
    """Return the sha256 of ``data`` in hex; of stored image bytes it is the ``image_id``."""
    return hashlib.sha256(data).hexdigest()


def seed_for(seed: int, name: str) -> int:
    """Return a 64-bit seed for one named source.

    It depends on the name, not on the source's place in a list, so adding a source reseeds no other.
    """
    return int.from_bytes(hashlib.sha256(f"{seed}\0{name}".encode()).digest()[:8], "big")


_ROW_BITS = 32


def image_number(partition: Any, row: Any) -> Any:
    """Return two numbers as one; numbers rise with the first, then with the second. Works on arrays too.

    Args:
        partition: Number of a partition of the run; within a partition, row of a document.
        row: Of an image among the partition's; within a partition, its position in the document.
    """
    return partition << _ROW_BITS | row


def split_image_number(number: Any) -> tuple[Any, Any]:
    """Return the partition and the row that ``image_number`` joined; works on arrays of numbers too."""
    return number >> _ROW_BITS, number & ((1 << _ROW_BITS) - 1)
