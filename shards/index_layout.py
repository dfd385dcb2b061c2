"""Which row groups of an index hold the rows of which shard, so that each shard's rows are read by themselves.

The index as we write it has one row group per shard. One that was written again by another tool may have any: then
every row group that has a row of a shard is read for that shard, block by block.
"""

import functools
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.contract.errors import SchemaError, ShardError
from curate.contract.schemas import SHARD_INDEX, check_schema
from shards.reader import INDEX_NAME
from shards.storage import open_folder

BLOCK_ROWS = 65_536


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexLayout:
    """What is known of an index without its rows."""

    num_rows: int
    max_images: int
    """Of one sample."""
    groups: dict[str, tuple[int, ...]]
    """Row groups that have rows of a shard, by its file name."""
    token: str
    """Of this reading: the file may be another one at the next."""


def read_layout(folder: str) -> IndexLayout:
    """Read two columns of the index, block by block.

    Raises:
        ShardError: No index, or not one of this format.
    """
    groups: dict[str, list[int]] = {}
    num_rows = max_images = 0
    with _opened(folder) as parquet:
        check_schema(parquet.schema_arrow.empty_table(), SHARD_INDEX, where=_index_path(folder))
        for group in range(parquet.num_row_groups):
            for batch in _blocks(parquet, [group], columns=["shard", "num_images"]):
                for name in batch["shard"].unique().to_pylist():
                    of_name = groups.setdefault(name, [])
                    if of_name[-1:] != [group]:
                        of_name.append(group)
                num_rows += batch.num_rows
                max_images = max(max_images, pc.max(batch["num_images"]).as_py() or 0)
    return IndexLayout(
        num_rows=num_rows,
        max_images=max_images,
        groups={name: tuple(numbers) for name, numbers in groups.items()},
        token=secrets.token_hex(8),
    )


def read_index_of(folder: str, shard: str, groups: Sequence[int], *, token: str) -> pa.Table:
    """Return the rows of one shard, in their order.

    Args:
        folder: The shard set.
        shard: File name.
        groups: From ``IndexLayout.groups``.
        token: From ``IndexLayout.token``; the file's footer is read once per process and token.

    Raises:
        ShardError: The index has become unreadable.
    """
    with _opened(folder, token=token) as parquet:
        batches = _blocks(parquet, groups) if groups else iter(())
        own = [batch.filter(pc.equal(batch["shard"], shard)) for batch in batches]
    return pa.Table.from_batches(own, schema=SHARD_INDEX)


def read_group_sizes(folder: str) -> tuple[list[int], str]:
    """Return the rows of each row group of the index, and a token by which they are read.

    Raises:
        ShardError: No index, or not one of this format.
    """
    with _opened(folder) as parquet:
        check_schema(parquet.schema_arrow.empty_table(), SHARD_INDEX, where=_index_path(folder))
        sizes = [parquet.metadata.row_group(group).num_rows for group in range(parquet.num_row_groups)]
    return sizes, secrets.token_hex(8)


def read_columns(folder: str, groups: Sequence[int], *, columns: list[str], token: str) -> pa.Table:
    """Return some columns of some row groups.

    Args:
        folder: The shard set.
        groups: Their numbers.
        columns: Their names.
        token: From ``read_group_sizes``.

    Raises:
        ShardError: The index has become unreadable.
    """
    with _opened(folder, token=token) as parquet:
        return parquet.read_row_groups(list(groups), columns=columns, use_threads=False)


@contextmanager
def _opened(folder: str, *, token: str | None = None) -> Iterator[pq.ParquetFile]:
    path = _index_path(folder)
    try:
        metadata = _read_footer(folder, token) if token is not None else None
        file_system, _ = open_folder(folder)
        with file_system.open(path, "rb") as file:
            yield pq.ParquetFile(file, metadata=metadata, pre_buffer=False)  # see curate.contract.parquet
    except FileNotFoundError as error:
        raise ShardError(f"{folder}: no {INDEX_NAME} here; is this a finished shard set?") from error
    except (pa.ArrowInvalid, OSError, SchemaError) as error:
        raise ShardError(f"{path}: not a readable shard index ({error})") from error


@functools.lru_cache(maxsize=1)
def _read_footer(folder: str, token: str) -> Any:
    """Return what is parsed of a footer: of an index of ten thousand shards that takes a second."""
    del token
    file_system, _ = open_folder(folder)
    with file_system.open(_index_path(folder), "rb") as file:
        return pq.read_metadata(file)


def _blocks(
    parquet: pq.ParquetFile, groups: Sequence[int], *, columns: list[str] | None = None
) -> Iterator[pa.RecordBatch]:
    batches = parquet.iter_batches(batch_size=BLOCK_ROWS, row_groups=list(groups), columns=columns, use_threads=False)
    for batch in batches:
        yield batch.replace_schema_metadata(None)


def _index_path(folder: str) -> str:
    _, root = open_folder(folder)
    return f"{root}/{INDEX_NAME}"
