"""Rows of csv and tsv files, with any delimiter."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from curate.contract.records import Fault
from curate.ingest.files.dialect import (
    Dialect,
    TableOptions,
    describe_missing_header,
    excel_hint,
    find_dialect,
    is_url,
    name_columns,
)
from curate.ingest.files.faults import Place, file_fault, record_fault
from curate.ingest.files.lines import Line
from curate.ingest.files.quoted import read_quoted
from curate.ingest.files.row import Row

Record = tuple[Place, list[str]]

_DEFAULTS = TableOptions()


def read_delimited(
    lines: Iterable[Line | Fault], *, label: str, delimiter: str, options: TableOptions = _DEFAULTS
) -> Iterator[Row | Fault]:
    """Yield a row per record; the first names the columns unless the recipe does.

    Where quotes enclose fields (RFC 4180) a field may go over lines. Where they are letters, as in the tsv files of
    LAION and Conceptual Captions, a line is a record.

    Args:
        lines: The file's lines.
        label: Names the file.
        delimiter: The one that goes with the file's extension; a header with none of it is searched for another.
        options: What the recipe says.
    """
    stream = iter(lines)
    first, faults = _first_line(stream)
    yield from faults
    if first is not None and (hinted := excel_hint(first.text)) and not options.delimiter:
        delimiter = hinted
        first, faults = _first_line(stream)
        yield from faults
    if first is None:
        if not faults:
            yield file_fault(label, "empty: expected a header line with column names")
        return
    dialect = find_dialect(first.text, usual=delimiter, options=options)
    yield from _read_table(chain([first], stream), label=label, dialect=dialect, options=options)


@dataclass(frozen=True, kw_only=True, slots=True)
class TableHead:
    """What the first line of a table says, where each of the others is a record."""

    delimiter: str
    columns: tuple[str, ...]
    is_given: bool
    """Whether the columns are the recipe's, and not the first line's."""
    is_line: bool
    """Whether the first line names the columns and is no record itself."""


def find_head(lines: Iterable[Line | Fault], *, delimiter: str, options: TableOptions = _DEFAULTS) -> TableHead | None:
    """Return the head of a table without quotes, by its first line; None where it takes more to tell the records.

    Args:
        lines: The file's lines.
        delimiter: The one that goes with the file's extension.
        options: What the recipe says.
    """
    first, faults = _first_line(iter(lines))
    if first is None or faults or first.place.number > 1 or excel_hint(first.text):
        return None
    dialect = find_dialect(first.text, usual=delimiter, options=options)
    fields, columns = first.text.split(dialect.delimiter), list(options.columns)
    if dialect.has_quotes or (not columns and any(map(is_url, fields))):
        return None
    return TableHead(
        delimiter=dialect.delimiter,
        columns=tuple(columns or name_columns(fields)),
        is_given=bool(columns),
        is_line=not columns or _are_names(fields, columns),
    )


def read_body(lines: Iterable[Line | Fault], *, head: TableHead) -> Iterator[Row | Fault]:
    """Yield a row per line of a table, or of a part of one, without its first line where that is its head."""
    dialect = Dialect(delimiter=head.delimiter, has_quotes=False)
    for record in _read_records(lines, dialect, width=len(head.columns)):
        yield record if isinstance(record, Fault) else _make_row(*record, head.columns, is_given=head.is_given)


def _first_line(stream: Iterator[Line | Fault]) -> tuple[Line | None, list[Fault]]:
    faults = []
    for line in stream:
        if isinstance(line, Fault):
            faults.append(line)
        elif line.text.strip():
            return line, faults
    return None, faults


def _read_table(
    lines: Iterable[Line | Fault], *, label: str, dialect: Dialect, options: TableOptions
) -> Iterator[Row | Fault]:
    columns = list(options.columns)
    is_first = True
    for record in _read_records(lines, dialect, width=len(columns)):
        if isinstance(record, Fault):
            yield record
            continue
        place, fields = record
        if is_first:
            is_first = False
            if not columns and any(map(is_url, fields)):
                yield file_fault(label, describe_missing_header(fields), number=place.number)
                return
            if not columns or _are_names(fields, columns):
                columns = columns or name_columns(fields)
                continue
        yield _make_row(place, fields, columns, is_given=bool(options.columns))


def _make_row(place: Place, fields: list[str], columns: Sequence[str], *, is_given: bool) -> Row | Fault:
    if len(fields) != len(columns):
        where = "the recipe" if is_given else "the header"
        return record_fault(place, f"{len(fields)} fields, but {where} names {len(columns)} columns")
    return Row(place=place, fields=dict(zip(columns, fields, strict=True)), has_fixed_columns=True)


def _read_records(lines: Iterable[Line | Fault], dialect: Dialect, *, width: int) -> Iterator[Record | Fault]:
    if dialect.has_quotes:
        yield from read_quoted(lines, dialect=dialect, width=width)
        return
    for line in lines:
        if isinstance(line, Fault):
            yield line
        elif line.text:  # a blank line is no record
            yield line.place, line.text.split(dialect.delimiter)


def _are_names(fields: list[str], columns: list[str]) -> bool:
    """Whether a first line repeats the names that the recipe gives."""
    return [field.strip().casefold() for field in fields] == [column.casefold() for column in columns]
