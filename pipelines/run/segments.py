"""Rows with bytes (images, pages) in segments: appended as they come, each file whole or absent.

    fetch/images/PART/00000-1f2e3d4c.parquet   some rows with their bytes, in the order in which they came
    fetch/images/PART.parquet                  the index: every column but the bytes, in document order, and `segment`

A crash costs what was not a segment yet; the next attempt goes on from the others. The index is written last and names
the segments that hold its rows, so what is added later changes nothing that is being read. An archive, or a folder of
an earlier version, has the bytes in the index's own place: that file is read as it is, until a fetch adds to it.
"""

import json
import logging
import secrets
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.reasons import FetchStatus
from pipelines.run.folder import BYTES_COLUMNS, RunFolder, digest_of
from pipelines.run.tables import Table
from shards.cut import cut_shards

logger = logging.getLogger(__name__)

SEGMENT, NOTE = "segment", "note"
"""Columns: the segment of a row, empty for a file in the index's place; and its segment's note."""
NO_CONTENT = (SEGMENT, "fetched_at")
"""Columns that tell how and when rows came."""
SEGMENT_BYTES = 32_000_000
"""Of bodies or images in one file, at most, beside one that is larger alone."""


def index_of(table: Table) -> Table:
    """Return the table that finds the rows of another one."""
    fields = [field for field in table.schema if field.name not in BYTES_COLUMNS]
    return replace(table, schema=pa.schema([*fields, pa.field(SEGMENT, pa.string(), nullable=False)]))


def key_columns(table: Table) -> list[str]:
    """Return the columns that tell rows apart: a row's key, and its URL last."""
    return [name for name in ("doc_id", "position", "image_url", "url") if name in table.schema.names]


def segment_place(partition: str, segment: str) -> str:
    """Return what a segment's file is a table ``of``."""
    return f"{partition}/{segment}" if segment else partition


def holds_bytes(folder: RunFolder, table: Table, partition: str) -> bool:
    """Return whether the file in the index's place has the bytes itself."""
    return not BYTES_COLUMNS.isdisjoint(folder.columns(table, partition))


def adopt_whole_file(folder: RunFolder, table: Table, partition: str) -> None:
    """Make a file that has the bytes in the index's place the first segment."""
    if holds_bytes(folder, table, partition):
        folder.move(table, partition, segment_place(partition, _new_name(0)))


def load_segments(folder: RunFolder, table: Table, partition: str) -> tuple[pa.Table, int]:
    """Return all committed rows without their bytes, and how many segments are damaged.

    Returns:
        The columns of the index, and NOTE: what was noted with each row's segment. In the order in which rows came; a
        later row of the same key and URL replaces an earlier one, which is left out.
    """
    schema = index_of(table).schema.append(pa.field(NOTE, pa.string()))
    found, num_damaged = [schema.empty_table()], 0
    whole = [""] if holds_bytes(folder, table, partition) else []
    for segment in [*whole, *folder.parts(table, partition)]:
        of = segment_place(partition, segment)
        stamp = folder.stamp(table, of)
        if stamp is None:
            logger.warning("%s: damaged; what it held is fetched again", folder.path(table, of))
            num_damaged += 1
            continue
        rows = folder.read(table, of, columns=[name for name in schema.names if name not in {SEGMENT, NOTE}])
        found.append(_with_columns(rows, schema, {SEGMENT: segment, NOTE: stamp.note}))
    return _latest(pa.concat_tables(found), key_columns(table)), num_damaged


def _with_columns(rows: pa.Table, schema: pa.Schema, constants: dict[str, str]) -> pa.Table:
    """Return the columns of a schema; those that an earlier version did not write are null."""
    columns = [
        pa.repeat(pa.scalar(constants[field.name], field.type), rows.num_rows)
        if field.name in constants
        else rows[field.name]
        if field.name in rows.column_names
        else pa.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _latest(rows: pa.Table, keys: list[str]) -> pa.Table:
    last = {key: number for number, key in enumerate(row_keys(rows, keys))}
    return rows.take(pa.array(sorted(last.values()), pa.int64()))


def row_keys(rows: pa.Table, columns: list[str]) -> list[tuple[Any, ...]]:
    """Return some columns of each row."""
    return list(zip(*(rows[name].to_pylist() for name in columns), strict=True))


def in_document_order(rows: pa.Table, documents: pa.Table, keys: list[str]) -> pa.Table:
    """Return one row per key, the latest, in the order of documents and places.

    Args:
        rows: In the order in which they came.
        documents: Of the partition.
        keys: What ``key_columns`` returns: all but the last make a key.
    """
    rank = {doc_id: number for number, doc_id in enumerate(documents["doc_id"].to_pylist())}
    latest = {key: number for number, key in enumerate(row_keys(rows, keys[:-1]))}
    order = sorted(latest, key=lambda key: (rank.get(key[0], len(rank)), key))
    return rows.take(pa.array([latest[key] for key in order], pa.int64())).combine_chunks()


class SegmentWriter:
    """Commits rows as they come; counts them. One task at a time calls it."""

    def __init__(self, folder: RunFolder, table: Table, partition: str, *, note: str) -> None:
        self._folder = folder
        self._table = table
        self._partition = partition
        self._note = note
        self._next = 1 + max((_number(name) for name in folder.parts(table, partition)), default=-1)
        self.num_rows = self.num_ok = 0

    def __call__(self, rows: pa.Table) -> None:
        """Commit rows of the table; a crash does not lose them any more."""
        sizes = pc.fill_null(pc.binary_length(rows["data"]), 0).to_numpy()
        for cut in cut_shards(sizes, max_bytes=SEGMENT_BYTES, max_samples=max(1, rows.num_rows)):
            part = rows.slice(cut.start, len(cut))
            of = segment_place(self._partition, _new_name(self._next))
            self._folder.write(self._table, of, rows=part, made_from="fetched", note=self._note, digest="")
            self._next += 1
        self.num_rows += rows.num_rows
        self.num_ok += pc.sum(pc.equal(rows["status"], str(FetchStatus.OK))).as_py() or 0


def _new_name(number: int) -> str:
    """Return a name that no other attempt at the same partition chooses, later than all of lower numbers."""
    return f"{number:05d}-{secrets.token_hex(4)}"


def _number(name: str) -> int:
    head = name.partition("-")[0]
    return int(head) if head.isdecimal() else 0


def write_index(folder: RunFolder, table: Table, partition: str, *, rows: pa.Table, made_from: str) -> None:
    """Write which rows a partition has, and in which segments; its digest does not depend on how they were cut.

    Args:
        folder: Of the run.
        table: Whose rows.
        partition: Its name.
        rows: What ``load_segments`` returns of them, or some of that, in their final order.
        made_from: Fingerprint of what was wanted.
    """
    index = index_of(table)
    rows = rows.select(index.schema.names)
    used, sizes = set(rows[SEGMENT].unique().to_pylist()), folder.parts(table, partition)
    note = json.dumps({name: size for name, size in sizes.items() if name in used})
    digest = digest_of(rows.drop_columns([name for name in NO_CONTENT if name in rows.column_names]))
    folder.write(index, partition, rows=rows, made_from=made_from, note=note, digest=digest)


def is_current(folder: RunFolder, table: Table, partition: str, made_from: str) -> bool:
    """Return whether the stored rows are what was wanted, and no file of theirs has been lost or cut since."""
    stamp = folder.stamp(table, partition)
    if stamp is None or stamp.fingerprint != made_from:
        return False
    return dict(_noted(stamp.note)).items() <= folder.parts(table, partition).items()


def _noted(note: str) -> Iterator[tuple[str, int]]:
    """Yield the segments that an index names; a file that has the bytes itself names none."""
    if note.startswith("{"):
        yield from json.loads(note).items()
