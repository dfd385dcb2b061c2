"""Cutting a large file into ranges that can be read apart: parquet by row groups, lines by bytes."""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from curate.contract.records import Fault
from curate.ingest.files.compression import find_compression, strip_compression
from curate.ingest.files.delimited import TableHead, find_head, read_body
from curate.ingest.files.faults import READ_ERRORS
from curate.ingest.files.file_formats import find_format, name_foreign
from curate.ingest.files.jsonlines import read_objects, read_words
from curate.ingest.files.line_ranges import Counted, LineRange, count_records
from curate.ingest.files.lines import Line, read_lines
from curate.ingest.files.parquet_rows import read_parquet_rows, row_group_sizes
from curate.ingest.files.row import Row
from curate.ingest.files.rows import FileLayout, TextKind, find_text_kind, usual_delimiter
from curate.ingest.files.streams import open_binary
from curate.ingest.files.text_streams import is_plain

MAX_RANGES = 10_000
"""Of a file; a larger file has larger ranges."""

_IS_RECORD: Mapping[str, Callable[[bytes], bool]] = {
    "jsonl": lambda line: bool(line.strip()),
    "words": lambda line: not (line := line.strip()).startswith(b"#") and bool(line),
    "table": lambda line: bool(line.rstrip(b"\r\n")),
}
"""What the readers of these formats make a row or a fault of. Blanks beyond ASCII are not seen: who reads a range makes
sure that it holds what was counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A part of a file: lines that begin within these bytes, or row groups."""

    start: int
    end: int | None
    """Exclusive; None: the end of the file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FileCut:
    """How a file is cut."""

    kind: Literal["parquet"] | TextKind
    spans: tuple[Span, ...]
    """Two at least, in order, one ending where the next begins."""
    first_line: int = 1
    """Number of the first line of the first span; of a row in parquet."""
    counted: tuple[Counted, ...] = ()
    """What each span holds, where the file itself says so."""
    head: TableHead | None = None
    """Of a table."""


def cut_rows(path: str, *, layout: FileLayout, range_bytes: int) -> FileCut | None:
    """Return how a file can be cut; None: it cannot, or it is too small.

    Compressed files, tables with quotes, JSON arrays and objects over several lines cannot, nor does what turns out to
    be unreadable.

    Args:
        path: Local path or fsspec URL.
        layout: Of the source.
        range_bytes: Of a range, before compression.
    """
    try:
        with open_binary(path) as stream:
            return _cut(stream, path, layout, range_bytes)
    except READ_ERRORS:
        return None


def count_span(path: str, *, cut: FileCut, span: Span) -> Counted:
    """Return what a span of lines holds.

    Raises:
        READ_ERRORS: It cannot be read.
    """
    with open_binary(path) as stream:
        return count_records(LineRange(stream, start=span.start, end=span.end), _IS_RECORD[cut.kind])


@contextmanager
def open_rows(
    path: str, *, label: str, layout: FileLayout, cut: FileCut, span: Span, first_line: int
) -> Iterator[tuple[Iterator[Row | Fault], Iterator[Row | Fault]]]:
    """Give the rows of a span and, to be taken once these are at their end, those behind it.

    Args:
        path: Of the file.
        label: Names it in ordinals and faults.
        layout: Of the source.
        cut: Of the file.
        span: One of its spans.
        first_line: Number of the span's first line.

    Raises:
        READ_ERRORS: The file cannot be opened; what cannot be read later is a fault.
    """
    with open_binary(path) as stream:
        if cut.kind == "parquet":
            own = read_parquet_rows(stream, label=label, first_group=span.start, end_group=span.end)
            behind = iter(()) if span.end is None else read_parquet_rows(stream, label=label, first_group=span.end)
            yield own, behind
            return
        lines = LineRange(stream, start=span.start, end=span.end, number=first_line)
        yield _parse(lines, label, layout, cut), _parse_behind(lines, label, layout, cut)


def _parse(lines: LineRange, label: str, layout: FileLayout, cut: FileCut) -> Iterator[Row | Fault]:
    found = read_lines(lines, label=label, first_number=lines.number)
    if cut.head is not None:
        return read_body(found, head=cut.head)
    return read_words(found, columns=layout.word_columns) if cut.kind == "words" else read_objects(found)


def _parse_behind(lines: LineRange, label: str, layout: FileLayout, cut: FileCut) -> Iterator[Row | Fault]:
    lines.read_on()
    yield from _parse(lines, label, layout, cut)


def _cut(stream: io.BufferedReader, path: str, layout: FileLayout, range_bytes: int) -> FileCut | None:
    head = stream.peek()
    name, compression = strip_compression(path)
    if find_compression(head) or name_foreign(head, is_binary=bool(compression)):
        return None
    extension = find_format(name, head)
    if extension == "parquet":
        return _cut_parquet(stream, range_bytes)
    return _cut_lines(stream, layout, range_bytes, extension=extension) if is_plain(head) else None


def _cut_lines(
    stream: io.BufferedReader, layout: FileLayout, range_bytes: int, *, extension: str | None
) -> FileCut | None:
    kind = find_text_kind(stream.peek(), layout, extension=extension)
    lines = read_lines(stream, label="")
    head, start = None, 0
    if kind == "table":
        head = find_head(lines, delimiter=usual_delimiter(extension), options=layout.tables)
        start = stream.tell() if head is not None and head.is_line else 0
    if kind in {"coco", "values"} or (kind == "table" and head is None) or (kind == "jsonl" and _opens_array(lines)):
        return None
    spans = _cut_bytes(start, stream.seek(0, io.SEEK_END), range_bytes)
    return FileCut(kind=kind, spans=spans, first_line=2 if start else 1, head=head) if spans else None


def _opens_array(lines: Iterator[Line | Fault]) -> bool:
    """Whether the first line that says something does not begin JSON Lines, or may not."""
    for line in lines:
        if isinstance(line, Fault):
            return True
        if text := line.text.strip():
            return text == "["
    return True


def _cut_bytes(start: int, end: int, range_bytes: int) -> tuple[Span, ...]:
    num_spans = min(MAX_RANGES, -(-(end - start) // range_bytes))
    edges = [start + (end - start) * i // num_spans for i in range(num_spans)]
    return _spans(edges)


def _cut_parquet(stream: io.BufferedReader, range_bytes: int) -> FileCut | None:
    groups = row_group_sizes(stream)
    if any(num_rows < 0 or num_bytes < 0 for num_rows, num_bytes in groups):
        return None
    least = max(range_bytes, sum(num_bytes for _, num_bytes in groups) // MAX_RANGES)
    edges, counts, size = list[int](), list[int](), least
    for group, (num_rows, num_bytes) in enumerate(groups):
        if size >= least:
            edges.append(group)
            counts.append(0)
            size = 0
        counts[-1] += num_rows
        size += num_bytes
    spans = _spans(edges)
    counted = tuple(Counted(num_lines=count, num_records=count) for count in counts)
    return FileCut(kind="parquet", spans=spans, counted=counted) if spans else None


def _spans(edges: list[int]) -> tuple[Span, ...]:
    """Return the spans that begin at these edges; none where there is no more than one."""
    ends = (*edges[1:], None)
    return tuple(Span(start=start, end=end) for start, end in zip(edges, ends, strict=True)) if len(edges) > 1 else ()
