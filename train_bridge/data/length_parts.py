"""Blocks of a shard set's lengths, each a file until all are counted: kept after a kill, and counted anywhere.

A block is a fixed number of neighbouring rows of the index. Several machines count blocks of one set where its folder,
or its storage, is the same for all; who counts the rest finds theirs.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from curate.contract.schemas import SHARD_INDEX
from shards.storage import atomic_path
from shards.stream_index import stream_index
from train_bridge.data.counting import COUNTED, CountRows
from train_bridge.data.kept import find_kept

LENGTHS = pa.schema(
    [
        *SHARD_INDEX,
        *COUNTED,
    ]
)
FILE_ROWS = 65_536
"""Of a block."""
PART = ".part-"
"""In the name of a block's file, before its first row."""


def count_blocks(
    folder: str, *, count: CountRows, path: Path, rows: tuple[int, int], keep: bool, block_rows: int = FILE_ROWS
) -> Iterator[pa.Table]:
    """Yield blocks of ``LENGTHS`` in order, counting those that are not kept.

    Args:
        folder: Of the set.
        count: From ``open_counter``.
        path: Of the lengths of the whole set.
        rows: First of the blocks' rows, and the one behind the last.
        keep: Leave each block in a file of its own.
        block_rows: Of a block.
    """
    first, stop = rows
    for number, block in enumerate(stream_index(folder, num_rows=block_rows, first_row=first)):
        row = first + number * block_rows
        if row >= stop:
            return
        table = _read_part(folder, _part_path(path, row))
        if table is None:
            table = pa.table([*block.columns, *count(block).columns], schema=LENGTHS).combine_chunks()
            if keep:
                with atomic_path(str(_part_path(path, row))) as partial, pa.ipc.new_file(partial, LENGTHS) as writer:
                    writer.write_table(table)
        yield table


def find_missing(folder: str, *, path: Path, num_rows: int, block_rows: int = FILE_ROWS) -> list[int]:
    """Return the first rows of the blocks that are not kept.

    Args:
        folder: Of the set.
        path: Of the lengths of the whole set.
        num_rows: Of the set.
        block_rows: Of a block.
    """
    rows = range(0, num_rows, block_rows)
    return [row for row in rows if find_kept(folder, _part_path(path, row).name, cache_dir=str(path.parent)) is None]


def kept_parts(path: Path) -> list[Path]:
    """Return the files of blocks that lie in the folder of the whole set's lengths."""
    return sorted(path.parent.glob(f"{path.name}{PART}*"))


def remove_parts(path: Path) -> None:
    """Remove the files of blocks that lie in the folder of the whole set's lengths."""
    for part in kept_parts(path):
        part.unlink(missing_ok=True)


def _part_path(path: Path, row: int) -> Path:
    return path.with_name(f"{path.name}{PART}{row}")


def _read_part(folder: str, part: Path) -> pa.Table | None:
    """Return a block that was counted before; None if it was not, or another process has just finished the set."""
    try:
        kept = find_kept(folder, part.name, cache_dir=str(part.parent))
        if kept is None:
            return None
        with pa.memory_map(str(kept)) as file:
            return pa.ipc.open_file(file).read_all()
    except FileNotFoundError:
        return None
