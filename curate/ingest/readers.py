"""From a source of a recipe to its documents: which files, and which reader."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from glob import has_magic
from pathlib import Path

import fsspec

from curate.contract.reasons import IngestReason
from curate.contract.records import Document, Fault
from curate.ingest.config import (
    FolderSource,
    InstructionsSource,
    InterleavedSource,
    Mmc4Source,
    ObelicsSource,
    PagesSource,
    PairsSource,
    Source,
    WarcSource,
    WebdatasetSource,
    image_folder,
    may_hold_images,
)
from curate.ingest.files.archives import open_archive
from curate.ingest.files.dialect import TableOptions
from curate.ingest.files.faults import (
    READ_ERRORS,
    ColumnError,
    RecordError,
    describe_error,
    file_fault,
    missing_fault,
    record_fault,
)
from curate.ingest.files.picture_roots import PictureRoot
from curate.ingest.files.row import Row
from curate.ingest.files.rows import FileLayout, read_rows
from curate.ingest.files.tar_joins import join_named
from curate.ingest.files.tars import read_tar_samples
from curate.ingest.files.warc import ArchivedPage, read_warc
from curate.ingest.formats.folders import read_folder
from curate.ingest.formats.instructions import read_instruction_row
from curate.ingest.formats.interleaved import read_interleaved_row
from curate.ingest.formats.local_images import hold_images
from curate.ingest.formats.mmc4 import read_mmc4_row
from curate.ingest.formats.obelics import read_obelics_row
from curate.ingest.formats.pages import read_page_row
from curate.ingest.formats.pairs import coco_layout, read_pair_row, word_columns
from curate.ingest.formats.repeats import drop_repeats
from curate.ingest.formats.warc import page_document
from curate.ingest.formats.webdataset import read_tar_sample

_OF_FILES = frozenset({IngestReason.MISSING_FILE, IngestReason.UNREADABLE_FILE})
RowReader = Callable[[Row], Document | Sequence[Document]]


def expand_paths(source: Source, *, base: str) -> list[str]:
    """Return the files of a source, sorted.

    Args:
        source: Its path may be absolute, relative to ``base``, start with ``~`` or be an fsspec URL.
        base: Folder of the recipe.

    Returns:
        Paths to open. A path without glob characters is returned whether or not it is there, and a glob that matches
        nothing as it stands, so that reading it gives a fault and a source never vanishes without a word.
    """
    is_remote = "://" in source.path or "://" in base
    pattern = _join(base, source.path, is_remote=is_remote)
    if not has_magic(source.path) or (not is_remote and Path(pattern).exists()):
        return [pattern]
    of_folders = isinstance(source, FolderSource)
    glob = partial(_glob_remote, pattern) if is_remote else partial(_glob_local, base, source.path)
    found = glob(of_folders=of_folders)
    return sorted(found) or [pattern]


def open_image_root(source: Source, *, base: str, path: str, max_bytes: int) -> PictureRoot | None:
    """Return the folder in which images of a source lie, or None where it declares none; nothing is opened yet.

    Args:
        source: Its ``image_root`` may be written as its path may.
        base: Folder of the recipe.
        path: One of :func:`expand_paths`: where the source is a folder of images itself.
        max_bytes: Of one image.
    """
    if isinstance(source, FolderSource):
        return PictureRoot(folder=path, max_bytes=max_bytes)
    folder = image_folder(source)
    if folder is None:
        return None
    return PictureRoot(folder=_join(base, folder, is_remote="://" in base), max_bytes=max_bytes)


def read_file(path: str, *, source: Source, label: str, root: PictureRoot | None = None) -> Iterator[Document | Fault]:
    """Yield the documents of one file in order; nothing is loaded whole and nothing raises.

    Args:
        path: One of :func:`expand_paths`.
        source: Chooses reader and columns.
        label: The path as faults and ordinals name it, such as ``part.jsonl`` in ``part.jsonl#17``.
        root: Of the source's images; None reads none, as for a look at a file.

    Yields:
        Documents, and a fault for each record that is none or for the part of the file that cannot be read.
    """
    num_broken: Counter[str] = Counter()
    for record in _read_records(path, source=source, label=label, root=root):
        if isinstance(record, Fault) and record.reason in _OF_FILES:
            num_broken[record.ordinal] += 1  # a file may break off and be found unfinished: each is told apart
            if num_broken[record.ordinal] > 1:
                yield replace(record, ordinal=f"{record.ordinal} ({num_broken[record.ordinal]})")
                continue
        yield record


def _read_records(path: str, *, source: Source, label: str, root: PictureRoot | None) -> Iterator[Document | Fault]:
    if isinstance(source, WarcSource):
        for page in read_archived_pages(path, source=source, label=label):
            yield page if isinstance(page, Fault) else page_document(page)
        return
    if isinstance(source, WebdatasetSource):
        yield from _read_tar(path, source=source, label=label)
        return
    if isinstance(source, FolderSource):
        yield from read_folder(path, source=source, label=label, root=root)
        return
    rows = read_rows(path, label=label, layout=reader_of(source)[1])
    documents = read_documents(rows, source=source, root=root)
    yield from drop_repeats(documents, by=source.same_page) if isinstance(source, PagesSource) else documents


def read_documents(
    rows: Iterable[Row | Fault], *, source: Source, root: PictureRoot | None = None
) -> Iterator[Document | Fault]:
    """Yield what the reader of a source makes of rows; nothing raises."""
    may_hold = may_hold_images(source) and (root is not None or image_folder(source) is None)
    read_row, _ = reader_of(source)
    unreadable: set[str] = set()
    for row in rows:
        if isinstance(row, Fault):
            yield row
            continue
        if row.place.label in unreadable:
            continue
        try:
            read = read_row(row)
            documents = (read,) if isinstance(read, Document) else read
            yield from hold_images(documents, root=root) if may_hold else documents
        except ColumnError as error:
            if row.has_fixed_columns:  # no row of this file can be read: one fault says so
                yield file_fault(row.place.label, error.what)
                unreadable.add(row.place.label)  # the others of a zip may have other columns
                continue
            yield record_fault(row.place, error.what, error.reason)
        except RecordError as error:
            yield record_fault(row.place, error.what, error.reason)
        except Exception as error:  # noqa: BLE001 - one record must not end a run, whatever is in it
            yield record_fault(row.place, f"cannot be read: {type(error).__name__}: {describe_error(error)}")


def read_archived_pages(path: str, *, source: WarcSource, label: str) -> Iterator[ArchivedPage | Fault]:
    """Yield the pages of one WARC file in order; nothing is loaded whole and nothing raises."""
    try:
        with open_archive(path) as stream:
            yield from drop_repeats(read_warc(stream, label=label), by=source.same_page)
    except FileNotFoundError:
        yield missing_fault(label)
    except READ_ERRORS as error:
        yield file_fault(label, describe_error(error))


def _read_tar(path: str, *, source: WebdatasetSource, label: str) -> Iterator[Document | Fault]:
    try:
        with open_archive(path) as stream:
            for sample in join_named(read_tar_samples(stream, label=label)):
                if isinstance(sample, Fault):
                    yield sample
                    continue
                try:
                    yield from read_tar_sample(sample, source=source)
                except RecordError as error:
                    yield record_fault(sample.place, error.what, error.reason)
                except Exception as error:  # noqa: BLE001 - ditto
                    yield record_fault(sample.place, f"cannot be read: {type(error).__name__}: {describe_error(error)}")
    except FileNotFoundError:
        yield missing_fault(label)
    except READ_ERRORS as error:
        yield file_fault(label, describe_error(error))


def reader_of(source: Source) -> tuple[RowReader, FileLayout]:
    """Return what turns a row into a document, and the layout of the source's files."""
    match source:
        case PagesSource():
            columns = source.columns or (source.url_column or "url",)
            return partial(read_page_row, source=source), _layout(source, "txt", word_columns=columns)
        case Mmc4Source():
            return partial(read_mmc4_row, source=source), FileLayout(default_format="jsonl")
        case PairsSource():
            columns = source.columns or word_columns(source)
            layout = _layout(source, "txt", word_columns=columns)
            return partial(read_pair_row, source=source), replace(layout, coco=coco_layout(source))
        case InstructionsSource():
            return partial(read_instruction_row, source=source), _layout(source, "jsonl")
        case ObelicsSource():
            return partial(read_obelics_row, source=source), FileLayout(default_format="jsonl")
        case InterleavedSource():
            return partial(read_interleaved_row, source=source), FileLayout(default_format="jsonl")
        case WarcSource() | WebdatasetSource() | FolderSource():
            raise ValueError(f"{source.type}: an archive or a folder has no rows")


def _layout(
    source: PagesSource | PairsSource | InstructionsSource, default_format: str, *, word_columns: Sequence[str] = ()
) -> FileLayout:
    tables = TableOptions(columns=source.columns, delimiter=source.delimiter, quotes=source.quotes)
    return FileLayout(default_format=default_format, word_columns=word_columns, tables=tables)


def _join(base: str, path: str, *, is_remote: bool) -> str:
    if "://" in path:
        return path
    return f"{base.rstrip('/')}/{path}" if is_remote else str(Path(base) / Path(path).expanduser())


def _glob_local(base: str, path: str, *, of_folders: bool) -> list[str]:
    # The recipe's folder may itself hold glob characters; only the recipe's own path is a pattern.
    pattern = Path(path).expanduser()
    root = Path(pattern.anchor) if pattern.is_absolute() else Path(base)
    relative = pattern.relative_to(pattern.anchor) if pattern.is_absolute() else pattern
    there = (found for found in root.glob(str(relative)) if not found.name.startswith("."))
    return [str(found) for found in there if (found.is_dir() if of_folders else found.is_file())]


def _glob_remote(pattern: str, *, of_folders: bool) -> list[str]:
    try:
        filesystem, target = fsspec.url_to_fs(pattern)
        there = [found for found in filesystem.glob(target) if not of_folders or filesystem.isdir(found)]
        return [str(filesystem.unstrip_protocol(found)) for found in there]
    except READ_ERRORS:
        return []  # reading the pattern itself then says what is wrong
