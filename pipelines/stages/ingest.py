"""Ingest: one task per input file, which cuts it into partitions."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import fsspec
import pyarrow as pa

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


def input_files(context: RunContext) -> Iterator[InputFile]:
    """Yield every input file, sources in recipe order, files sorted."""
    for source in context.recipe.sources:
        for number, path in enumerate(expand_paths(source, base=context.base)):
            label = path.removeprefix(context.base.rstrip("/") + "/")
            yield InputFile(source=source, path=path, label=label, number=number)


def ingest_file(context: RunContext, file: InputFile) -> Report:
    """Read one file into partitions ``SOURCE-FILE-CHUNK`` and note which there are."""
    made_from = _fingerprint(context, file)
    note = context.folder.file("ingest", "files", f"{file.name}.json")
    done = read_json(note)
    if done is not None and _is_whole(context, done, file.source, made_from):
        return Report(stage=Stage.INGEST, partition=file.name, skipped=True, partitions=tuple(done["partitions"]))
    partitions, num_records = [], 0
    records: Iterable[Document | Fault | ArchivedPage] = (
        read_archived_pages(file.path, source=file.source, label=file.label)
        if isinstance(file.source, WarcSource)
        else read_file(file.path, source=file.source, label=file.label, root=_image_root(context, file))
    )
    records = islice(records, context.limit) if context.limit is not None else records
    for number, chunk in enumerate(chunk_records(records, num_docs=context.recipe.partition_num_docs)):
        partition = f"{file.name}-{number:05d}"
        _write_chunk(context, partition, chunk, file.source, made_from)
        partitions.append(partition)
        num_records += len(chunk)
    write_json(note, {"fingerprint": made_from, "partitions": partitions})
    counters = {"documents": num_records}
    return Report(stage=Stage.INGEST, partition=file.name, counters=counters, partitions=tuple(partitions))


def _write_chunk(
    context: RunContext,
    partition: str,
    chunk: Sequence[Document | Fault | ArchivedPage],
    source: Source,
    made_from: str,
) -> None:
    if _is_written(context, partition, source, made_from):
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
        context.folder.write(table, partition, rows=rows[table], made_from=made_from)


def _archived_pages(
    context: RunContext, chunk: Sequence[Document | Fault | ArchivedPage], documents: pa.Table
) -> pa.Table:
    answers = [
        Answer(
            doc_id=doc_id,
            url=page.url,
            http_status=page.http_status,
            headers=page.headers,
            body=page.body,
            date=page.date,
        )
        for page, doc_id in zip(chunk, documents["doc_id"].to_pylist(), strict=True)
        if isinstance(page, ArchivedPage)
    ]
    return archived_pages(answers, config=context.recipe.fetch)


def _is_whole(context: RunContext, done: dict[str, Any], source: Source, made_from: str) -> bool:
    """Return whether a file has been read as it is now and every table of it is still there."""
    return done["fingerprint"] == made_from and all(
        _is_written(context, partition, source, made_from) for partition in done["partitions"]
    )


def _is_written(context: RunContext, partition: str, source: Source, made_from: str) -> bool:
    stamps = [context.folder.stamp(table, partition) for table in _tables(source)]
    return all(stamp is not None and stamp.fingerprint == made_from for stamp in stamps)


def _tables(source: Source) -> tuple[Table, ...]:
    """Return what is written of a source's partitions, in order; a page's items come from its HTML later."""
    if has_html(source):
        return (INGEST_VERDICTS, DOCUMENTS) if source.type == "pages" else (PAGES, INGEST_VERDICTS, DOCUMENTS)
    held = (HELD_IMAGES,) if may_hold_images(source) else ()
    return (*held, ITEMS, INGEST_VERDICTS, DOCUMENTS)


def _image_root(context: RunContext, file: InputFile) -> PictureRoot | None:
    max_bytes = context.recipe.fetch.max_bytes
    return open_image_root(file.source, base=context.base, path=file.path, max_bytes=max_bytes)


def _fingerprint(context: RunContext, file: InputFile) -> str:
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
    return stage_fingerprint(Stage.INGEST, DOCUMENTS.version, options, [_file_identity(file.path)])


def _file_identity(path: str) -> str:
    """Return what changes when a file does: its size and time, or the object store's own tag."""
    filesystem, target = fsspec.url_to_fs(path)
    try:
        if filesystem.isdir(target):
            return folder_identity(path)
        info: dict[str, Any] = filesystem.info(target)
    except (OSError, ValueError):
        return "missing"
    return str([info.get(key) for key in ("size", "mtime", "ETag", "etag", "LastModified", "md5Hash")])
