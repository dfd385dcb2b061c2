"""Rows of any supported file: its compression told by content, its format by extension or, failing that, by content."""

import io
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from curate.contract.records import Fault
from curate.ingest.files.coco import CocoLayout, is_coco, read_coco
from curate.ingest.files.compression import decompress, find_compression, strip_compression
from curate.ingest.files.delimited import read_delimited
from curate.ingest.files.dialect import TableOptions, is_header
from curate.ingest.files.faults import READ_ERRORS, describe_error, file_fault, missing_fault
from curate.ingest.files.file_formats import find_format, name_foreign
from curate.ingest.files.json_values import has_spread_values, read_json_values
from curate.ingest.files.jsonlines import read_json_lines, read_words
from curate.ingest.files.lines import read_lines
from curate.ingest.files.parquet_rows import read_parquet_rows
from curate.ingest.files.row import Row
from curate.ingest.files.streams import list_members, open_binary, open_member
from curate.ingest.files.text_streams import as_text

TextKind = Literal["table", "words", "coco", "values", "jsonl"]
_MAX_LAYERS = 4  # a zip of gz files has two; a file that unpacks to itself has no end


@dataclass(frozen=True, kw_only=True, slots=True)
class FileLayout:
    """What a source says about its files beyond their extension."""

    default_format: str
    """``txt`` or ``jsonl``: taken where neither extension nor content says more."""
    word_columns: Sequence[str] = ()
    """Names of the fields of a txt line; empty where txt makes no sense."""
    tables: TableOptions = field(default_factory=TableOptions)
    """Of csv, tsv and the like."""
    coco: CocoLayout | None = None
    """Of captions in the shape of COCO; None where they make no sense."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Source:
    """A file, or what lies in it, on the way to its rows."""

    name: str
    """Tells the format by its extension."""
    label: str
    layout: FileLayout
    num_layers: int = 0
    """Compressed files around this one."""


def read_rows(path: str, *, label: str, layout: FileLayout) -> Iterator[Row | Fault]:
    """Yield the rows of one file in order; what cannot be read is a fault and nothing raises.

    Args:
        path: Local path or fsspec URL; gz, bz2, xz, zst and zip are recognised by content, all members of a zip are
            read.
        label: Names the file in ordinals and faults.
        layout: Of the source.
    """
    try:
        with open_binary(path) as stream:
            yield from _read_any(stream, _Source(name=path, label=label, layout=layout))
    except FileNotFoundError:
        yield missing_fault(label)
    except READ_ERRORS as error:
        yield file_fault(label, describe_error(error))


def _read_any(stream: io.BufferedReader, source: _Source) -> Iterator[Row | Fault]:
    compression = find_compression(stream.peek())
    stem, _ = strip_compression(source.name)
    inner = _Source(name=stem, label=source.label, layout=source.layout, num_layers=source.num_layers + 1)
    if not compression:
        yield from _read_content(stream, source)
    elif inner.num_layers > _MAX_LAYERS:
        yield file_fault(source.label, f"compressed more than {_MAX_LAYERS} times over")
    elif compression == "zip":
        yield from _read_archive(stream, inner)
    else:
        yield from _read_any(decompress(stream, compression), inner)


def _read_archive(stream: io.BufferedReader, source: _Source) -> Iterator[Row | Fault]:
    with zipfile.ZipFile(stream) as archive:
        members = list_members(archive)
        if not members:
            yield file_fault(source.label, "a zip without files")
        num_seen: Counter[str] = Counter()
        for member in members:
            num_seen[member.filename] += 1
            # A zip may hold a name twice; what tells documents apart must not.
            again = f" ({num_seen[member.filename]})" if num_seen[member.filename] > 1 else ""
            label = f"{source.label}/{member.filename}{again}"
            # `a.jsonl.zip` may hold a file called just `a`.
            has_format = find_format(strip_compression(member.filename)[0], b"") is not None
            name = member.filename if has_format else source.name
            inner = _Source(name=name, label=label, layout=source.layout, num_layers=source.num_layers)
            try:
                with open_member(archive, member) as content:
                    yield from _read_any(content, inner)
            except READ_ERRORS as error:
                yield file_fault(label, describe_error(error))


def _read_content(stream: io.BufferedReader, source: _Source) -> Iterator[Row | Fault]:
    name, compression = strip_compression(source.name)
    head = stream.peek()
    if foreign := name_foreign(head, is_binary=bool(compression)):
        yield file_fault(source.label, foreign)
        return
    if find_format(name, head) == "parquet":
        yield from read_parquet_rows(stream, label=source.label)
        return
    stream = as_text(stream)
    yield from _read_text(stream, stream.peek(), source, extension=find_format(name, stream.peek()))


def _read_text(
    stream: io.BufferedReader, head: bytes, source: _Source, *, extension: str | None
) -> Iterator[Row | Fault]:
    label, layout = source.label, source.layout
    match find_text_kind(head, layout, extension=extension):
        case "table":
            lines, usual = read_lines(stream, label=label), usual_delimiter(extension)
            yield from read_delimited(lines, label=label, delimiter=usual, options=layout.tables)
        case "words":
            yield from read_words(read_lines(stream, label=label), columns=layout.word_columns)
        case "coco":
            assert layout.coco is not None  # noqa: S101 - the kind says so
            yield from read_coco(stream, label=label, layout=layout.coco)
        case "values":
            yield from read_json_values(stream, label=label)
        case "jsonl":
            yield from read_json_lines(read_lines(stream, label=label), label=label)


def find_text_kind(head: bytes, layout: FileLayout, *, extension: str | None) -> TextKind:
    """Return how the records of a text file are cut.

    Args:
        head: The first bytes, as UTF-8.
        layout: Of the source.
        extension: What ``find_format`` says.
    """
    text_format = extension or layout.default_format
    if text_format in {"csv", "tsv"} or (text_format == "txt" and _is_tabular(head, layout)):
        return "table"
    if text_format == "txt" and layout.word_columns:
        return "words"
    if layout.coco is not None and is_coco(head, layout.coco):
        return "coco"
    return "values" if has_spread_values(head) else "jsonl"


def usual_delimiter(extension: str | None) -> str:
    """Return the delimiter that goes with a table's extension."""
    return "," if extension == "csv" else "\t"


def _is_tabular(head: bytes, layout: FileLayout) -> bool:
    """Whether a txt file is a table: its first line says so, or the recipe says how it is cut."""
    first = head.partition(b"\n")[0].decode(errors="replace")
    if layout.tables.delimiter is not None or (layout.tables.columns and "\t" in first):
        return True
    return bool(layout.word_columns) and is_header(first, layout.word_columns[0])
