"""Ingest of a large file by ranges, which are read at the same time and give the partitions that reading it whole does.

A partition is of the range in which its first record begins, and takes its last ones from the next where need be. So a
range has to know how many lines and records are in front of it, which those before it count, or a parquet file says. A
range that does not hold what was counted says so: the file is then to be read whole.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import chain, count, islice

from curate.contract.errors import CurateError
from curate.contract.reasons import Stage
from curate.contract.records import Document, Fault
from curate.ingest.files.cuts import FileCut, Span, count_span
from curate.ingest.files.faults import READ_ERRORS
from curate.ingest.files.line_ranges import Counted
from curate.ingest.ranges import cut_file, open_range
from curate.ingest.tables import chunk_records
from pipelines.engine.loop import Report
from pipelines.run.context import RunContext
from pipelines.run.folder import read_json, write_json
from pipelines.stages.ingest import (
    Announce,
    InputFile,
    file_fingerprint,
    file_state,
    find_done,
    is_written,
    keep_quiet,
    partition_name,
    read_whole,
    write_chunk,
)

NUM_ATTEMPTS = 3
"""To read a range whose storage fails."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """A file that is to be read by ranges."""

    cut: FileCut
    made_from: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FileRange:
    """What is to be read by one task."""

    number: int
    """From 0 within its file."""
    span: Span
    first_line: int
    """Number of its first line, or row, from 1."""
    first_record: int
    """Records in front of it."""
    num_records: int | None
    """Within it; None where nobody had to count, as behind the last range none follows."""

    def chunk_bounds(self, num_docs: int) -> tuple[int, int | None]:
        """Return the number of the first chunk that begins here, and of the first behind the range."""
        end = None if self.num_records is None else -(-(self.first_record + self.num_records) // num_docs)
        return -(-self.first_record // num_docs), end


def begin_file(context: RunContext, file: InputFile, *, announce: Announce = keep_quiet) -> Report:
    """Read a file whole, or tell how it is cut where it is large: ``found`` is ``Begun`` then."""
    state = file_state(file.path)
    made_from = file_fingerprint(context, file, state)
    done = find_done(context, file, made_from, announce)
    if done is not None:
        return done
    range_bytes = int(context.recipe.engine.range_bytes)
    cut = None
    if context.limit is None and state.size_bytes > range_bytes:
        cut = cut_file(file.path, source=file.source, label=file.label, range_bytes=range_bytes)
    if cut is None:
        return read_whole(context, file, made_from, announce)
    return Report(stage=Stage.INGEST, partition=file.name, found=Begun(cut=cut, made_from=made_from))


def count_range(context: RunContext, file: InputFile, begun: Begun, number: int, span: Span) -> Report:
    """Count the lines and records of a range: ``found`` is ``Counted``, or None where it cannot be read."""
    note = _note(context, file, number, "counted")
    key = {"fingerprint": begun.made_from, "span": asdict(span)}
    name = range_name(file, number)
    done = read_json(note)
    if done is not None and done["key"] == key:
        return Report(stage=Stage.INGEST, partition=name, skipped=True, found=Counted(**done["counted"]))
    _check_unchanged(context, file, begun.made_from)
    counted = _count(file, begun.cut, span)
    if counted is not None:
        write_json(note, {"key": key, "counted": asdict(counted)})
    return Report(stage=Stage.INGEST, partition=name, found=counted)


def read_range(
    context: RunContext, file: InputFile, begun: Begun, part: FileRange, *, announce: Announce = keep_quiet
) -> Report:
    """Write the partitions that begin in a range; ``found`` is whether it holds what was counted.

    Raises:
        CurateError: The file is no longer the one that was counted.
    """
    note = _note(context, file, part.number, "read")
    key = {"fingerprint": begun.made_from, "range": asdict(part)}
    done = read_json(note)
    if done is not None and done["key"] == key and _are_written(context, file, begun, done["partitions"]):
        for partition in done["partitions"]:
            announce(partition)
        return _report(file, part, done["partitions"])
    for _ in range(NUM_ATTEMPTS):
        report = _read(context, file, begun, part, announce)
        if report.found:
            write_json(note, {"key": key, "partitions": report.partitions})
            break
    return report


def _read(context: RunContext, file: InputFile, begun: Begun, part: FileRange, announce: Announce) -> Report:
    _check_unchanged(context, file, begun.made_from)
    num_docs = context.recipe.partition_num_docs
    number, end = part.chunk_bounds(num_docs)
    partitions, num_records, is_sound = list[str](), 0, True
    opened = open_range(
        file.path, source=file.source, label=file.label, cut=begun.cut, span=part.span, first_line=part.first_line
    )
    with opened as (own, behind):
        taken = count()
        counted = (record for record, _ in zip(own, taken, strict=False))
        for chunk in cut_chunks(counted, behind, num_before=part.first_record, num_docs=num_docs):
            is_sound = number != end and _is_sound(chunk, file.label)
            if not is_sound:
                break
            partition = partition_name(file, number)
            write_chunk(context, partition, chunk, source=file.source, made_from=begun.made_from)
            announce(partition)
            partitions.append(partition)
            num_records += len(chunk)
            number += 1
    _check_unchanged(context, file, begun.made_from)
    is_as_counted = is_sound and part.num_records in {None, next(taken)}
    return _report(file, part, partitions, num_records=num_records, is_as_counted=is_as_counted)


def cut_chunks(
    own: Iterator[Document | Fault], behind: Iterator[Document | Fault], *, num_before: int, num_docs: int
) -> Iterator[list[Document | Fault]]:
    """Yield the chunks that begin in a range; an empty one where one is cut by more than its number of records."""
    records = chain(own, behind)
    for _ in islice(own, -num_before % num_docs):
        pass  # of the chunk that begins in front of the range
    for first in own:
        chunk = next(chunk_records(chain([first], records), num_docs=num_docs))
        yield chunk if len(chunk) == num_docs or next(records, None) is None else []


def _is_sound(chunk: list[Document | Fault], label: str) -> bool:
    """Whether there is a chunk, and nothing in it that says the rest of its file is lost."""
    return bool(chunk) and all(record.ordinal != label for record in chunk)


def _count(file: InputFile, cut: FileCut, span: Span) -> Counted | None:
    for _ in range(NUM_ATTEMPTS):
        with suppress(*READ_ERRORS):
            return count_span(file.path, cut=cut, span=span)
    return None


def _check_unchanged(context: RunContext, file: InputFile, made_from: str) -> None:
    if file_fingerprint(context, file, file_state(file.path)) != made_from:
        raise CurateError(f"{file.label}: changed while it was read; run the same recipe again once it is whole")


def _are_written(context: RunContext, file: InputFile, begun: Begun, partitions: list[str]) -> bool:
    return all(is_written(context, partition, file.source, begun.made_from) for partition in partitions)


def _report(
    file: InputFile,
    part: FileRange,
    partitions: Sequence[str],
    *,
    num_records: int | None = None,
    is_as_counted: bool = True,
) -> Report:
    counters = {} if num_records is None else {"documents": num_records}
    return Report(
        stage=Stage.INGEST,
        partition=range_name(file, part.number),
        skipped=num_records is None,
        counters=counters if is_as_counted else {**counters, "not_as_counted": 1},
        partitions=tuple(partitions),
        found=is_as_counted,
    )


def range_name(file: InputFile, number: int) -> str:
    """Return what a range is called in reports and errors."""
    return f"{file.name} range {number}"


def _note(context: RunContext, file: InputFile, number: int, what: str) -> str:
    return context.folder.file("ingest", "ranges", f"{file.name}-{number:05d}.{what}.json")
