"""Ingest: an input file is cut into partitions, each of which goes on as soon as it is written."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import fsspec
import pyarrow as pa

from curate.contract.ids import doc_id
from curate.contract.reasons import Stage
from curate.contract.records import Document, Fault
from curate.fetch.archived import Answer, archived_pages
from curate.ingest.config import Source, WarcSource, has_html, may_hold_images, source_kind
from curate.ingest.files.folders import folder_identity
from curate.ingest.files.picture_roots import PictureRoot
from curate.ingest.files.warc import ArchivedPage
from curate.ingest.formats.warc import page_document
from curate.ingest.readers import expand_paths, open_image_root, read_archived_pages, read_file
from curate.ingest.tables import build_tables, chunk_records
from pipelines.engine.loop import Report
from pipelines.run.context import RunContext, stage_fingerprint
from pipelines.run.folder import read_json, write_json
from pipelines.run.tables import DOCUMENTS, HELD_IMAGES, INGEST_VERDICTS, ITEMS, PAGES, Table

JUDGED_BY = {"max_bytes", "respect_x_robots", "respect_tdmrep", "respect_content_usage"}
"""Fetch options that say which archived pages are taken."""

Record = Document | Fault | ArchivedPage
Announce = Callable[[str], None]
"""Told the name of each partition that is there, while the file is still being read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InputFile:
    """One file of a source."""

    source: Source
    path: str
    label: str
    """The path as the recipe would write it: part of every doc_id, so that a corpus may move."""
    number: int
    """Its place among the source's files, sorted."""

    @property
    def name(self) -> str:
        """``SOURCE-FILE``: unique in the run, even where two sources read one file."""
        return f"{self.source.name}-{self.number:05d}"


@dataclass(frozen=True, kw_only=True, slots=True)
class FileState:
    """What storage says of a file."""

    identity: str
    """What changes when the file does: its size and time, or the object store's own tag; of all in a folder."""
    size_bytes: int
    """0 where storage does not say, and of a folder."""


def input_files(context: RunContext) -> Iterator[InputFile]:
    """Yield every input file, sources in recipe order, files sorted."""
    for source in context.recipe.sources:
        for number, path in enumerate(expand_paths(source, base=context.base)):
            label = path.removeprefix(context.base.rstrip("/") + "/")
            yield InputFile(source=source, path=path, label=label, number=number)


def keep_quiet(_partition: str) -> None:
    """Announce nothing."""


def ingest_file(context: RunContext, file: InputFile, *, announce: Announce = keep_quiet) -> Report:
    """Read one file into partitions ``SOURCE-FILE-CHUNK`` and note which there are."""
    made_from = file_fingerprint(context, file, file_state(file.path))
    return find_done(context, file, made_from, announce) or read_whole(context, file, made_from, announce)


def find_done(context: RunContext, file: InputFile, made_from: str, announce: Announce) -> Report | None:
    """Return the report of a file that has been read as it is now, if every table of it is still there."""
    done = read_json(_note(context, file))
    if done is None or done["fingerprint"] != made_from:
        return None
    for partition in done["partitions"]:
        if not is_written(context, partition, file.source, made_from):
            return None
        announce(partition)
    return Report(stage=Stage.INGEST, partition=file.name, skipped=True, partitions=tuple(done["partitions"]))


def read_whole(context: RunContext, file: InputFile, made_from: str, announce: Announce) -> Report:
    """Read a file from its beginning; what is written already is not written again."""
    num_records = num_partitions = 0
    records: Iterable[Record] = (
        read_archived_pages(file.path, source=file.source, label=file.label)
        if isinstance(file.source, WarcSource)
        else read_file(file.path, source=file.source, label=file.label, root=_image_root(context, file))
    )
    records = islice(records, context.limit) if context.limit is not None else records
    for chunk in chunk_records(records, num_docs=context.recipe.partition_num_docs):
        partition = partition_name(file, num_partitions)
        write_chunk(context, partition, chunk, source=file.source, made_from=made_from)
        announce(partition)
        num_partitions += 1
        num_records += len(chunk)
    report = note_done(context, file, made_from, num_partitions)
    return replace(report, counters={"documents": num_records})


def note_done(context: RunContext, file: InputFile, made_from: str, num_partitions: int) -> Report:
    """Note that a file has been read into so many partitions."""
    partitions = [partition_name(file, number) for number in range(num_partitions)]
    write_json(_note(context, file), {"fingerprint": made_from, "partitions": partitions})
    return Report(stage=Stage.INGEST, partition=file.name, partitions=tuple(partitions))


def partition_name(file: InputFile, number: int) -> str:
    """Return ``SOURCE-FILE-CHUNK``, the chunks of a file counted from 0."""
    return f"{file.name}-{number:05d}"


def write_chunk(
    context: RunContext, partition: str, chunk: Sequence[Record], *, source: Source, made_from: str
) -> None:
    """Write the tables of one partition, unless they are there."""
    start = _start_of(chunk)
    if is_written(context, partition, source, made_from, start=start):
        return
    records = [page_document(record) if isinstance(record, ArchivedPage) else record for record in chunk]
    built = build_tables(records, source=source.name, kind=source_kind(source))
    rows = {
        PAGES: _archived_pages(context, chunk, built.documents),
        HELD_IMAGES: built.held,
        ITEMS: built.items,
        INGEST_VERDICTS: built.verdicts,
        DOCUMENTS: built.documents,
    }
    for table in _tables(source):
        context.folder.write(table, partition, rows=rows[table], made_from=made_from, note=start)


def _start_of(chunk: Sequence[Record]) -> str:
    """Return where in its file a chunk begins: what follows from there is the same however the file is read."""
    first = chunk[0]
    return doc_id("", "", first.place.ordinal if isinstance(first, ArchivedPage) else first.ordinal)


def _archived_pages(context: RunContext, chunk: Sequence[Record], documents: pa.Table) -> pa.Table:
    answers = [
        Answer(
            doc_id=row_id,
            url=page.url,
            http_status=page.http_status,
            headers=page.headers,
            body=page.body,
            date=page.date,
        )
        for page, row_id in zip(chunk, documents["doc_id"].to_pylist(), strict=True)
        if isinstance(page, ArchivedPage)
    ]
    return archived_pages(answers, config=context.recipe.fetch)


def is_written(
    context: RunContext, partition: str, source: Source, made_from: str, *, start: str | None = None
) -> bool:
    """Return whether all tables of a partition are there, made from the file as it is, and from ``start`` on."""
    stamps = [context.folder.stamp(table, partition) for table in _tables(source)]
    return all(stamp is not None and stamp.fingerprint == made_from and start in {None, stamp.note} for stamp in stamps)


def _tables(source: Source) -> tuple[Table, ...]:
    """Return what is written of a source's partitions, in order; a page's items come from its HTML later."""
    if has_html(source):
        return (INGEST_VERDICTS, DOCUMENTS) if source.type == "pages" else (PAGES, INGEST_VERDICTS, DOCUMENTS)
    held = (HELD_IMAGES,) if may_hold_images(source) else ()
    return (*held, ITEMS, INGEST_VERDICTS, DOCUMENTS)


def _image_root(context: RunContext, file: InputFile) -> PictureRoot | None:
    max_bytes = context.recipe.fetch.max_bytes
    return open_image_root(file.source, base=context.base, path=file.path, max_bytes=max_bytes)


def file_fingerprint(context: RunContext, file: InputFile, state: FileState) -> str:
    """Return the fingerprint of what a file's partitions are made from.

    Args:
        context: The run.
        file: One of its files.
        state: What ``file_state`` says of it.
    """
    options = {
        "source": file.source.model_dump(mode="json"),
        "label": file.label,
        "limit": context.limit,
        "partition_num_docs": context.recipe.partition_num_docs,
    }
    if isinstance(file.source, WarcSource):  # its pages are judged while they are read
        options["fetch"] = context.recipe.fetch.model_dump(mode="json", include=JUDGED_BY)
    if (root := _image_root(context, file)) is not None:
        options["max_bytes"] = int(root.max_bytes)
    return stage_fingerprint(Stage.INGEST, DOCUMENTS.version, options, [state.identity])


def file_state(path: str) -> FileState:
    """Ask storage for the state of a file, or of a folder that is a source's input."""
    filesystem, target = fsspec.url_to_fs(path)
    try:
        info: dict[str, Any] = filesystem.info(target)
        if info.get("type") != "file" and filesystem.isdir(target):
            return FileState(identity=folder_identity(path), size_bytes=0)
    except (OSError, ValueError):
        return FileState(identity="missing", size_bytes=0)
    stamps = [info.get(key) for key in ("size", "mtime", "ETag", "etag", "LastModified", "md5Hash")]
    return FileState(identity=str(stamps), size_bytes=info.get("size") or 0)


def _note(context: RunContext, file: InputFile) -> str:
    return context.folder.file("ingest", "files", f"{file.name}.json")
