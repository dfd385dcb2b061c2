"""Checks before a run that the files of a shard set are those that its index describes."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.errors import ShardError
from shards.reader import ShardReader, read_index
from shards.storage import open_folder

NUM_PROBED = 16
"""Shards whose first sample is read; of all, the size is compared."""


def check_shard_files(folder: str) -> None:
    """Compare the index of a shard set with its files.

    Samples that are corrupt later are skipped one by one; what is checked here is what would lose many at once.

    Raises:
        ShardError: No index, a shard that is missing or too short, or one that holds other samples; names both.
    """
    index = read_index(folder)
    ends = pc.add(index["offset"], index["num_bytes"])
    wanted = pa.table({"shard": index["shard"], "end": ends}).group_by("shard").aggregate([("end", "max")])
    file_system, root = open_folder(folder)
    sizes = {str(entry["name"]).rsplit("/", 1)[-1]: int(entry["size"]) for entry in file_system.ls(root, detail=True)}
    for row in wanted.sort_by("shard").to_pylist():
        size = sizes.get(row["shard"])
        if size is None:
            raise ShardError(f"{folder}: index.parquet lists {row['shard']}, which is not there")
        if size < row["end_max"]:
            raise ShardError(
                f"{folder}: index.parquet wants {row['end_max']:,} bytes of {row['shard']}, which has {size:,}"
            )
    with ShardReader(folder) as reader:
        for row in _first_samples(index):
            try:
                reader.read(row)
            except ShardError as error:
                raise ShardError(f"{folder}: index.parquet and the shards do not belong together: {error}") from error


def _first_samples(index: pa.Table) -> list[dict[str, Any]]:
    """Return the first row of some shards, spread over the set."""
    firsts = pa.table({"shard": index["shard"], "row": pa.array(range(index.num_rows), pa.int64())})
    rows = sorted(firsts.group_by("shard").aggregate([("row", "min")])["row_min"].to_pylist())
    step = max(1, len(rows) // NUM_PROBED)
    found: list[dict[str, Any]] = index.take(rows[::step]).to_pylist()
    return found
