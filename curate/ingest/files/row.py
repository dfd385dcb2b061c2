"""One record of an input file before it is understood."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from curate.contract.reasons import IngestReason
from curate.ingest.files.faults import ColumnError, Place, RecordError

_PICTURE = re.compile(rb"(?s)\xff\xd8\xff|\x89PNG\r\n|GIF8|RIFF....WEBP")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """Fields by name, and where they stand."""

    place: Place
    fields: dict[str, Any]
    has_fixed_columns: bool = False
    """A csv, tsv or parquet row: a column missing here is missing in the whole file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A field of a record."""

    path: tuple[str, ...]
    """The column, and the names of structs' fields below it."""
    value: Any

    @property
    def name(self) -> str:
        """As a recipe names it: ``url`` or ``image.url``."""
        return ".".join(self.path)


def find_field(row: Row, wanted: str | None, *, usual: Sequence[str], what: str) -> Found:
    """Return a field by its name, exactly as written or else whatever its case.

    Args:
        row: The record.
        wanted: The name that the recipe gives, if any; ``image.url`` is the field ``url`` of a struct ``image``.
        usual: Names tried in order where the recipe gives none.
        what: What the field holds, for the error.

    Raises:
        ColumnError: None of them is there.
    """
    for name in usual if wanted is None else (wanted,):
        found = _look_up(row.fields, name) or (_look_into(row.fields, name) if wanted else None)
        if found is not None:
            return found
    sought = " or ".join(repr(name) for name in usual) if wanted is None else repr(wanted)
    there = ", ".join(sorted(map(str, row.fields))) or "none"
    raise ColumnError(f"no column {sought} for the {what}; columns: {there}{_describe_pictures(row.fields)}")


def drop_field(fields: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """Return fields without the one at ``path``; what else is in a struct stays."""
    name, *below = path
    kept = {key: value for key, value in fields.items() if key != name}
    if below and (rest := drop_field(fields[name], tuple(below))):
        kept[name] = rest
    return kept


def _describe_pictures(fields: dict[str, Any]) -> str:
    """Return that a column holds pictures, where one does: who gave such a file need not look for a name."""
    inside = {name: value.get("bytes") if isinstance(value, dict) else value for name, value in fields.items()}
    name = next((name for name, value in inside.items() if isinstance(value, bytes) and _PICTURE.match(value)), None)
    return f"; {name!r} holds the pictures themselves, but only pictures with a URL are taken" if name else ""


def _look_up(fields: dict[str, Any], name: str) -> Found | None:
    if name in fields:
        return Found(path=(name,), value=fields[name])
    folded = name.casefold()
    return next((Found(path=(key,), value=fields[key]) for key in fields if str(key).casefold() == folded), None)


def _look_into(fields: dict[str, Any], name: str) -> Found | None:
    first, dot, rest = name.partition(".")
    outer = _look_up(fields, first) if dot else None
    if outer is None or (outer.value is not None and not isinstance(outer.value, dict)):
        return None
    inside = outer.value or {}
    inner = _look_up(inside, rest) or _look_into(inside, rest)
    if inner is None:  # a null struct has null fields
        return Found(path=outer.path, value=None) if outer.value is None else None
    return Found(path=outer.path + inner.path, value=inner.value)


def require_text(value: object, what: str) -> str:
    """Return a non-empty string without white space around it.

    Raises:
        RecordError: It is null, blank (empty_document) or of another type (malformed_record).
    """
    if value is None or (isinstance(value, str | bytes) and not value.strip()):
        raise RecordError(f"{what} is empty", IngestReason.EMPTY_DOCUMENT)
    return require_str(value, what).strip()


def require_str(value: object, what: str) -> str:
    """Return ``value`` if it is a string, binary ones decoded.

    Parquet files of some writers hold text as bytes without a mark that it is text.

    Raises:
        RecordError: It is none, or not UTF-8.
    """
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise RecordError(f"{what} is not UTF-8: byte 0x{value[error.start]:02x}") from error
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
