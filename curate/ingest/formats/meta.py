"""Passthrough columns as JSON values."""

import math
from collections.abc import Iterable
from typing import Any

from curate.ingest.files.faults import RecordError

_MAX_DEPTH = 32  # of passthrough JSON; deeper is damage, and would overflow whatever walks it later
_MAX_BINARY_BYTES = 64  # a digest fits; a picture or an embedding is named by its size


def keep_rest(fields: dict[str, Any], *, used: Iterable[str]) -> dict[str, Any]:
    """Return the fields that no item was made of, fit for JSON.

    Not-a-number and infinite values become null (JSON has neither), short binary values hex, longer ones a note of
    their size, and whatever else JSON has no type for its text.

    Raises:
        RecordError: Nested deeper than 32 levels.
    """
    left_out = frozenset(used)
    return {str(name): _to_json(value, depth=1) for name, value in fields.items() if name not in left_out}


def _to_json(value: object, *, depth: int) -> object:
    if depth > _MAX_DEPTH:
        raise RecordError(f"nested deeper than {_MAX_DEPTH} levels")
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(name): _to_json(inner, depth=depth + 1) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(inner, depth=depth + 1) for inner in value]
    if isinstance(value, bytes):
        return value.hex() if len(value) <= _MAX_BINARY_BYTES else f"<{len(value)} bytes>"
    return str(value)
