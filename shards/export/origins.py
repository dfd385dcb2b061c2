"""What every format with room for it says of a document's origin."""

from collections.abc import Mapping
from typing import Any

_NAMES = ("provenance", "license", "meta")
_BEST_FIRST = ("id", "url", "text")


def said_of_origin(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return where a document came from, its licence and what its source passed through, as far as they are known."""
    return {name: record[name] for name in _NAMES if record.get(name)}


def license_name(record: Mapping[str, Any]) -> str | None:
    """Return a document's licence in one string: its id, else its address, else the words; None without any."""
    stated = record.get("license") or {}
    return next((stated[name] for name in _BEST_FIRST if stated.get(name)), None)
