"""How a table of text is written: what stands between fields, what quotes mean, which columns there are."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

USUAL_DELIMITERS = "\t,;|"
"""Tried in this order where a header holds none of the delimiter that its file's extension promises."""

_URL = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?//\S+")
_EXCEL_HINT = re.compile(r"sep=(.)")  # Excel's own first line, which is no header


@dataclass(frozen=True, kw_only=True, slots=True)
class TableOptions:
    """What a recipe says about tables of text; the defaults leave it to the file."""

    columns: tuple[str, ...] = ()
    """Names of the columns of files without a header."""
    delimiter: str | None = None
    """One character between fields."""
    quotes: bool | None = None
    """Whether quotes enclose fields (RFC 4180) or are letters; null: they enclose, except where tabs delimit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """How the lines of one file are cut into fields."""

    delimiter: str
    has_quotes: bool
    skips_blanks: bool = False
    """Blanks after a delimiter are no part of the field, so that a quote after them opens one."""


def excel_hint(text: str) -> str | None:
    """Return the delimiter that a line such as ``sep=;`` announces, or None for any other line."""
    found = _EXCEL_HINT.fullmatch(text.strip())
    return found[1] if found else None


def find_dialect(first: str, *, usual: str, options: TableOptions) -> Dialect:
    """Return the dialect of a file by its first line.

    A tab-separated file whose names all stand in quotes is taken as one written with quotes.

    Args:
        first: The header, or data where the recipe names the columns.
        usual: The delimiter that goes with the file's extension.
        options: What the recipe says goes before all that is found.
    """
    delimiter = options.delimiter or _find_delimiter(first, usual=usual, num_columns=len(options.columns))
    parts = first.split(delimiter)
    all_quoted = not options.columns and all(re.fullmatch(r'\s*"[^"]*"\s*', part) for part in parts)
    has_quotes = (delimiter != "\t" or all_quoted) if options.quotes is None else options.quotes
    is_spaced = not delimiter.isspace() and len(parts) > 1 and all(part.startswith(" ") for part in parts[1:])
    return Dialect(delimiter=delimiter, has_quotes=has_quotes, skips_blanks=is_spaced)


def is_url(field: str) -> bool:
    """Whether a whole field is a URL: what no column is called."""
    return _URL.fullmatch(field.strip()) is not None


def is_header(first: str, name: str) -> bool:
    """Whether a line is more than one name of a column, ``name`` among them."""
    parts = re.split(f"[{re.escape(USUAL_DELIMITERS)}]", first.lstrip("\ufeff"))
    return len(parts) > 1 and name.casefold() in {part.strip(' "\r').casefold() for part in parts}


def name_columns(fields: Sequence[str]) -> list[str]:
    """Return header fields as distinct names: without blanks around them, unnamed and repeated ones by their place."""
    names: list[str] = []
    for place, field in enumerate(fields, start=1):
        name = field.strip().lstrip("\ufeff")
        names.append(name if name and name not in names else f"{name} (column {place})".strip())
    return names


def describe_missing_header(fields: Sequence[str]) -> str:
    """Return what to do about a first line that holds data."""
    number = next(i for i, field in enumerate(fields) if is_url(field))
    names = ["url" if i == number else f"column_{i + 1}" for i in range(len(fields))]
    others = [i for i in range(len(fields)) if i != number]
    if others:
        names[others[0]] = "text"
    return (
        f"{fields[number].strip()[:80]!r} stands where the name of a column is expected; "
        f"if the file has no header, name its columns in the recipe, such as columns: [{', '.join(names)}]"
    )


def _find_delimiter(first: str, *, usual: str, num_columns: int) -> str:
    candidates = [usual, *USUAL_DELIMITERS]
    if num_columns > 1:
        return next((each for each in candidates if first.count(each) == num_columns - 1), usual)
    if usual in first or is_url(first):
        return usual
    most_frequent: str = max(candidates, key=first.count)
    return most_frequent
