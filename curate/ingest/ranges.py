"""Documents of a part of a file, where a source's file can be cut into parts."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, islice

from curate.contract.records import Document, Fault
from curate.ingest.config import FolderSource, PagesSource, Source, WarcSource, WebdatasetSource, image_folder
from curate.ingest.files.cuts import FileCut, Span, cut_rows, open_rows
from curate.ingest.files.faults import READ_ERRORS
from curate.ingest.files.row import Row
from curate.ingest.readers import read_documents, reader_of

_NUM_TRIED = 100
"""Rows that show whether a source's rows are a document each."""


def cut_file(path: str, *, source: Source, label: str, range_bytes: int) -> FileCut | None:
    """Return how a file can be cut; None: it is to be read from its beginning to its end.

    Archives and folders are, and so are sources whose images lie in a folder, and whatever begins with rows that hold
    their images, stand several on a line or are not a document each: partitions are cut by the number and the size of
    documents, which no count of lines tells then. Where a page is taken once, what is in front decides on each.

    Args:
        path: Of the file.
        source: Chooses reader and columns.
        label: The path as faults name it.
        range_bytes: Least size of what is worth cutting.
    """
    if _is_read_in_order(source):
        return None
    cut = cut_rows(path, layout=reader_of(source)[1], range_bytes=range_bytes)
    return cut if cut is not None and _is_document_a_row(path, source, label, cut) else None


@contextmanager
def open_range(
    path: str, *, source: Source, label: str, cut: FileCut, span: Span, first_line: int
) -> Iterator[tuple[Iterator[Document | Fault], Iterator[Document | Fault]]]:
    """Give the documents of a span and, to be taken once these are at their end, those behind it.

    Args:
        path: Of the file.
        source: Chooses reader and columns.
        label: The path as faults and ordinals name it.
        cut: Of the file.
        span: One of its spans.
        first_line: Number of the span's first line, or row.

    Raises:
        READ_ERRORS: The file cannot be opened; what cannot be read later is a fault.
    """
    layout = reader_of(source)[1]
    opened = open_rows(path, label=label, layout=layout, cut=cut, span=span, first_line=first_line)
    with opened as (own, behind):
        yield read_documents(own, source=source), read_documents(behind, source=source)


def _is_read_in_order(source: Source) -> bool:
    if isinstance(source, WarcSource | WebdatasetSource | FolderSource) or image_folder(source) is not None:
        return True
    return isinstance(source, PagesSource) and source.same_page is not None


def _is_document_a_row(path: str, source: Source, label: str, cut: FileCut) -> bool:
    layout, first = reader_of(source)[1], cut.spans[0]
    try:
        opened = open_rows(path, label=label, layout=layout, cut=cut, span=first, first_line=cut.first_line)
        with opened as (own, behind):
            rows = islice(chain(own, behind), _NUM_TRIED)
            return all(_is_document(row, source, label) for row in rows)
    except READ_ERRORS:
        return False


def _is_document(row: Row | Fault, source: Source, label: str) -> bool:
    """Whether a row has a line of its own and is one plain document."""
    if isinstance(row, Row) and row.place.part > 1:
        return False
    records = list(read_documents([row], source=source))
    return len(records) == 1 and _is_plain(records[0], label)


def _is_plain(record: Document | Fault, label: str) -> bool:
    """Whether a record neither holds images nor ends its file."""
    if isinstance(record, Fault):
        return record.ordinal != label
    return not any(item.image_bytes for item in record.items)
