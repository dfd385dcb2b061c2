"""How stored images and pages are read: rows in the order of their documents, their bytes in bounded batches.

See ``segments`` for how they lie in the run folder.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from itertools import accumulate
from typing import Any, Self, overload

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.contract.errors import CurateError
from curate.contract.reasons import FetchStatus
from pipelines.run.context import RunContext
from pipelines.run.folder import RunFolder
from pipelines.run.joins import only_documents
from pipelines.run.segments import SEGMENT, holds_bytes, key_columns, row_keys, segment_place
from pipelines.run.tables import Table
from shards.cut import cut_shards

DATA = "data"
BATCH_BYTES = 16_000_000
BATCH_ROWS = 256
UNKNOWN_BYTES = 1 << 18
"""What a row is taken to hold that does not say how much."""
CACHE_BYTES = 64_000_000
"""Of row groups that are kept while others are read: rows stand in the order of documents, segments in that of arrival,
so that neighbours lie in a few row groups at a time."""

Key = tuple[Any, ...]
"""doc_id, and position where the table has one."""


def read_rows(context: RunContext, table: Table, partition: str, *, columns: Sequence[str] | None = None) -> pa.Table:
    """Return a partition's rows without their bytes, in the order of its documents.

    Args:
        context: The run.
        table: IMAGES or PAGES.
        partition: Its name.
        columns: Any but the bytes; None: all but these.
    """
    names = list(columns) if columns is not None else [name for name in table.schema.names if name != DATA]
    return context.folder.read(table, partition, columns=names)


def rows_digest(context: RunContext, table: Table, partition: str) -> str:
    """Return the digest of a partition's rows: the same however they came.

    Raises:
        CurateError: They are missing.
    """
    return context.folder.digest(table, partition)


def iterate_rows(
    context: RunContext,
    table: Table,
    partition: str,
    *,
    columns: Sequence[str],
    keys: Collection[Key] | None = None,
) -> Iterator[pa.Table]:
    """Yield rows in the order of the partition's documents, in batches of a few MB.

    Args:
        context: The run.
        table: IMAGES or PAGES.
        partition: Its name.
        columns: The bytes among them where they are needed; only row groups that hold a wanted row are read for them.
        keys: Of the rows that are wanted; None: all.
    """
    with StoredRows(context.folder, table, partition, columns=columns, keys=keys) as rows:
        for batch in rows.cut():
            yield rows.take(batch.start, batch.stop)


def read_data_of(context: RunContext, table: Table, partition: str, doc_ids: Sequence[str]) -> pa.Table:
    """Return keys and bytes of the rows of some documents, which may or may not be in the partition."""
    names = key_columns(table)[:-1]
    held = read_rows(context, table, partition, columns=names)
    keys = set(row_keys(only_documents(held, doc_ids), names))
    empty = pa.schema([table.schema.field(name) for name in [*names, DATA]]).empty_table()
    batches = iterate_rows(context, table, partition, columns=[*names, DATA], keys=keys)
    return pa.concat_tables([empty, *batches])


def iterate_row_groups(folder: RunFolder, table: Table, partition: str) -> Iterator[pa.Table]:
    """Yield the rows of one file as they lie there, without ever holding all of them."""
    with fsspec.open(folder.path(table, partition), "rb") as file:
        reader = pq.ParquetFile(file, pre_buffer=False)
        for group in range(reader.num_row_groups):
            yield reader.read_row_group(group, use_threads=False)


class StoredRows:
    """A partition's rows, or some of them, of which bytes are read when they are asked for. Close it after use."""

    def __init__(
        self,
        folder: RunFolder,
        table: Table,
        partition: str,
        *,
        columns: Sequence[str],
        keys: Collection[Key] | None = None,
    ) -> None:
        self._columns = list(columns)
        self._key_columns = key_columns(table)
        self._segments = _Segments(folder, table, partition)
        names = dict.fromkeys([*self._key_columns, "status", "num_bytes", SEGMENT, *self._columns])
        rows = folder.read(table, partition, columns=[name for name in names if name != DATA])
        if holds_bytes(folder, table, partition):
            rows = rows.append_column(SEGMENT, pa.repeat("", rows.num_rows))
        if keys is not None:
            own = row_keys(rows, self._key_columns[:-1])
            rows = rows.filter(pa.array([key in keys for key in own], pa.bool_()))
        self.rows = rows.combine_chunks()
        """Without bytes; keys and more beside the columns that were asked for."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._segments.close()

    def cut(self) -> list[range]:
        """Return consecutive runs of rows whose bytes are a bounded batch."""
        num_bytes = self.rows["num_bytes"] if "num_bytes" in self.rows.column_names else pa.nulls(len(self.rows))
        sizes = pc.fill_null(num_bytes.cast(pa.int64()), UNKNOWN_BYTES).to_numpy()
        return cut_shards(sizes, max_bytes=BATCH_BYTES, max_samples=BATCH_ROWS)

    def take(self, start: int, stop: int) -> pa.Table:
        """Return the columns that were asked for of some consecutive rows."""
        rows = self.rows.slice(start, stop - start)
        if DATA in self._columns:
            rows = rows.append_column(DATA, self._bytes_of(rows))
        return rows.select(self._columns)

    def data(self) -> "StoredBytes":
        """Return the bytes of all rows, to be read piece by piece."""
        return StoredBytes(self)

    def _bytes_of(self, rows: pa.Table) -> pa.Array:
        nothing = pa.nulls(1, pa.large_binary())
        places = zip(
            rows["status"].to_pylist(), rows[SEGMENT].to_pylist(), row_keys(rows, self._key_columns), strict=True
        )
        found = [
            self._segments.bytes_of(segment, key) if status == FetchStatus.OK else nothing
            for status, segment, key in places
        ]
        return pa.concat_arrays([nothing[:0], *found])


class StoredBytes(Sequence[Any]):
    """The bytes of stored rows as buffers; a slice reads no more than its own rows."""

    def __init__(self, rows: StoredRows) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows.rows)

    @overload
    def __getitem__(self, place: int) -> Any: ...
    @overload
    def __getitem__(self, place: slice) -> list[Any]: ...
    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, int):
            return self[range(len(self))[place] : range(len(self))[place] + 1][0]
        start, stop, _ = place.indices(len(self))
        return [data.as_buffer() for data in self._rows.take(start, max(start, stop))[DATA]]


class _Segments:
    """Open segments, and the row groups of them that were read last."""

    def __init__(self, folder: RunFolder, table: Table, partition: str) -> None:
        self._folder = folder
        self._table = table
        self._partition = partition
        self._files = ExitStack()
        self._open: dict[str, _Segment] = {}
        self._groups: OrderedDict[tuple[str, int], pa.Array] = OrderedDict()
        self._num_bytes = 0

    def close(self) -> None:
        self._files.close()

    def bytes_of(self, name: str, key: Key) -> pa.Array:
        """Return the bytes of one row, as an array of one."""
        segment = self._open.get(name)
        if segment is None:
            path = self._folder.path(self._table, segment_place(self._partition, name))
            segment = self._open[name] = _Segment(path, key_columns(self._table), self._files)
        group, offset = segment.place(key)
        return self._group(name, segment, group).slice(offset, 1)

    def _group(self, name: str, segment: "_Segment", group: int) -> pa.Array:
        array = self._groups.get((name, group))
        if array is None:
            array = self._groups[name, group] = segment.read(group)
            self._num_bytes += array.nbytes
        self._groups.move_to_end((name, group))
        while self._num_bytes > CACHE_BYTES and len(self._groups) > 1:
            self._num_bytes -= self._groups.popitem(last=False)[1].nbytes
        return array


class _Segment:
    """One file, and where in it which row lies."""

    def __init__(self, path: str, names: list[str], files: ExitStack) -> None:
        self._path = path
        try:
            self._reader = pq.ParquetFile(files.enter_context(fsspec.open(path, "rb")), pre_buffer=False)
            keys = row_keys(self._reader.read(columns=names, use_threads=False), names)
        except (OSError, pa.ArrowInvalid) as error:
            raise self._damaged(error) from error
        meta = self._reader.metadata
        sizes = [meta.row_group(group).num_rows for group in range(meta.num_row_groups)]
        self._starts = np.array([0, *accumulate(sizes)])
        self._numbers = {key: number for number, key in enumerate(keys)}

    def place(self, key: Key) -> tuple[int, int]:
        """Return row group and row in it of the last row with a key."""
        number = self._numbers.get(key)
        if number is None:
            raise self._damaged(f"it has no row {key}")
        group = int(np.searchsorted(self._starts, number, side="right")) - 1
        return group, number - int(self._starts[group])

    def read(self, group: int) -> pa.Array:
        """Return the bytes in a row group."""
        try:
            column = self._reader.read_row_group(group, columns=[DATA], use_threads=False)[DATA]
        except (OSError, pa.ArrowInvalid) as error:
            raise self._damaged(error) from error
        return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)

    def _damaged(self, why: object) -> CurateError:
        return CurateError(f"{self._path}: cannot be read ({why}); remove it and run the same recipe again")
