"""One record of an input file before it is understood."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from curate.contract.reasons import IngestReason
from curate.ingest.files.faults import ColumnError, Place, RecordError


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """Fields by name, and where they stand."""

    place: Place
    fields: dict[str, Any]
    has_fixed_columns: bool = False
    """A csv, tsv or parquet row: a column missing here is missing in the whole file."""


def find_column(row: Row, wanted: str | None, *, usual: Sequence[str], what: str) -> str:
    """Return the name of a column.

    Args:
        row: The record.
        wanted: The name that the recipe gives, if any.
        usual: Names tried in order where the recipe gives none.
        what: What the column holds, for the error.

    Raises:
        ColumnError: None of them is there.
    """
    for name in usual if wanted is None else (wanted,):
        if name in row.fields:
            return name
    sought = " or ".join(repr(name) for name in usual) if wanted is None else repr(wanted)
    there = ", ".join(sorted(row.fields)) or "none"
    raise ColumnError(f"no column {sought} for the {what}; columns: {there}")


def require_text(value: object, what: str) -> str:
    """Return a non-empty string without white space around it.

    Raises:
        RecordError: It is null, blank (empty_document) or of another type (malformed_record).
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        raise RecordError(f"{what} is empty", IngestReason.EMPTY_DOCUMENT)
    return require_str(value, what).strip()


def require_str(value: object, what: str) -> str:
    """Return ``value`` if it is a string.

    Raises:
        RecordError: It is not.
    """
    if not isinstance(value, str):
        raise RecordError(f"{what} must be a string, not {type_name(value)}")
    return value


def require_list(value: object, what: str) -> list[Any]:
    """Return ``value`` if it is a list.

    Raises:
        RecordError: It is not.
    """
    if not isinstance(value, list):
        raise RecordError(f"{what} must be a list, not {type_name(value)}")
    return value


def require_dict(value: object, what: str) -> dict[str, Any]:
    """Return ``value`` if it is a JSON object.

    Raises:
        RecordError: It is not.
    """
    if not isinstance(value, dict):
        raise RecordError(f"{what} must be an object, not {type_name(value)}")
    return value


def type_name(value: object) -> str:
    """Return the name that JSON has for the type of ``value``."""
    if isinstance(value, bool):
        return "a boolean"
    names = ((type(None), "null"), (int | float, "a number"), (str, "a string"), (list, "a list"), (dict, "an object"))
    return next((name for kind, name in names if isinstance(value, kind)), type(value).__name__)
