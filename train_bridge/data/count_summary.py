"""What planning reads of every sample, 19 bytes each, in columns that are mapped from a file."""

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from shards.storage import atomic_path

COUNTS = pa.schema(
    [
        pa.field("num_ids", pa.int32(), nullable=False),
        pa.field("num_images", pa.int32(), nullable=False),  # placeholders, not what is stored
        pa.field("num_labels", pa.int32(), nullable=False),
        pa.field("group", pa.uint16(), nullable=False),  # place of (source, kind) in the metadata ``groups``
        pa.field("bucket", pa.uint32(), nullable=False),  # first 32 bits of the sha256 of the doc_id: splits
        pa.field("usable", pa.uint8(), nullable=False),  # 1: without a fault, and with a token to learn
    ]
)
"""One record batch, so that a column is one array of the mapped file."""
BLOCK_ROWS = 1 << 20
"""Whose groups are numbered anew at a time."""
GROUPS_KEY, SHARD_STARTS_KEY = "groups", "shard_starts"


class CountSummary:
    """The columns of a set while it is counted: on disk, so that memory does not grow with the set."""

    def __init__(self, num_rows: int, *, folder: Path) -> None:
        """Make room.

        Args:
            num_rows: Of the set.
            folder: On whose disk the columns are, under no name: nothing is left of them after a kill.

        Raises:
            OSError: The disk has no room for 19 bytes a row.
        """
        self._columns = {field.name: _make_column(folder, field, num_rows) for field in COUNTS}
        self._groups: dict[tuple[str, str], int] = {}
        self.num_rows = 0
        """That were added."""

    def add(self, table: pa.Table) -> None:
        """Take the next rows of ``LENGTHS``."""
        digests = [hashlib.sha256(doc_id.encode()).digest()[:4] for doc_id in table["doc_id"].to_pylist()]
        usable = pc.and_(pc.is_null(table["fault"]), pc.greater(table["num_labels"], 0))
        found = {
            "num_ids": table["num_ids"].to_numpy(),
            "num_images": pc.list_value_length(table["image_at"]).to_numpy(),
            "num_labels": table["num_labels"].to_numpy(),
            "group": self._number_groups(table),
            "bucket": np.frombuffer(b"".join(digests), dtype=">u4"),
            "usable": usable.to_numpy(),
        }
        stop = self.num_rows + table.num_rows
        for name, values in found.items():
            self._columns[name][self.num_rows : stop] = values
        self.num_rows = stop

    def write(self, path: str, *, shard_starts: Sequence[int]) -> None:
        """Write ``COUNTS`` with the groups in their order, and the rows at which another shard begins."""
        groups = sorted(self._groups)
        places = {group: place for place, group in enumerate(groups)}
        renumbered = np.array([places[group] for group in self._groups], dtype=np.uint16)
        column = self._columns["group"]
        for start in range(0, len(column), BLOCK_ROWS):
            column[start : start + BLOCK_ROWS] = renumbered[column[start : start + BLOCK_ROWS]]
        metadata = {GROUPS_KEY: json.dumps(groups), SHARD_STARTS_KEY: json.dumps(list(shard_starts))}
        schema = COUNTS.with_metadata(metadata)
        with (
            atomic_path(path) as partial,
            pa.OSFile(str(partial), "wb") as file,
            pa.ipc.new_file(file, schema) as writer,
        ):
            writer.write_batch(
                pa.record_batch([_as_arrow(self._columns[field.name], field) for field in COUNTS], schema=schema)
            )

    def _number_groups(self, table: pa.Table) -> npt.NDArray[np.uint16]:
        pairs = table.select(["source", "kind"]).group_by(["source", "kind"], use_threads=False).aggregate([])
        codes = np.zeros(table.num_rows, dtype=np.uint16)
        for pair in pairs.to_pylist():
            number = self._groups.setdefault((pair["source"], pair["kind"]), len(self._groups))
            mine = pc.and_(pc.equal(table["source"], pair["source"]), pc.equal(table["kind"], pair["kind"]))
            codes[mine.to_numpy()] = number
        return codes


class MappedCounts:
    """The columns of a set, mapped."""

    def __init__(self, path: str) -> None:
        """Open what ``CountSummary.write`` wrote."""
        reader = pa.ipc.open_file(pa.memory_map(path))
        table, metadata = reader.read_all(), reader.schema.metadata
        self.columns = {name: _array(table[name]) for name in COUNTS.names}
        self.groups = [tuple(pair) for pair in json.loads(metadata[GROUPS_KEY.encode()])]
        """(source, kind), sorted."""
        self.shard_starts = np.array(json.loads(metadata[SHARD_STARTS_KEY.encode()]), dtype=np.int64)
        """Rows at which another shard begins; the first is 0."""


def counts_path(path: str) -> str:
    """Return where the summary of a file of lengths is."""
    return str(Path(path).with_name(Path(path).name.replace("lengths-", "counts-", 1)))


def _make_column(folder: Path, field: pa.Field, num_rows: int) -> npt.NDArray[Any]:
    dtype = np.dtype(field.type.to_pandas_dtype())
    if not num_rows:  # nothing can be mapped of an empty file
        return np.zeros(0, dtype=dtype)
    with tempfile.TemporaryFile(dir=folder) as file:
        os.posix_fallocate(file.fileno(), 0, num_rows * dtype.itemsize)  # a full disk is an error here, a signal later
        return np.memmap(file, dtype=dtype, mode="r+", shape=(num_rows,))


def _as_arrow(column: npt.NDArray[Any], field: pa.Field) -> pa.Array:
    """Return a column without a copy."""
    return pa.Array.from_buffers(field.type, len(column), [None, pa.py_buffer(column)])


def _array(column: Any) -> npt.NDArray[Any]:
    return np.asarray(column.chunk(0)) if column.num_chunks else np.zeros(0, dtype=column.type.to_pandas_dtype())
