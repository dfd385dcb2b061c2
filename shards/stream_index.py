"""Reads the index of a shard set piece by piece: of a hundred million samples it is larger than memory."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from curate.contract.errors import SchemaError, ShardError
from curate.contract.schemas import SHARD_INDEX, check_schema
from shards.reader import INDEX_NAME
from shards.storage import open_folder


def stream_index(folder: str, *, num_rows: int, first_row: int = 0) -> Iterator[pa.Table]:
    """Yield the index of a shard set in tables of ``num_rows`` rows, the last of which may be shorter.

    How the file is divided inside makes no difference to what is yielded. Errors come with the first table.

    Args:
        folder: The shard set.
        num_rows: Of a table.
        first_row: To begin with; what lies in row groups before it is not read.

    Raises:
        ShardError: No index, or not one of this format.
    """
    file_system, root = open_folder(folder)
    path = f"{root}/{INDEX_NAME}"
    try:
        with file_system.open(path, "rb") as file:
            parquet = pq.ParquetFile(file, pre_buffer=False)  # see curate.contract.parquet
            check_schema(parquet.schema_arrow.empty_table(), SHARD_INDEX, where=path)
            groups, num_skipped = _groups_from(parquet.metadata, first_row)
            batches = parquet.iter_batches(batch_size=num_rows, row_groups=groups, use_threads=False)
            yield from _cut(_skip(batches, first_row - num_skipped), num_rows=num_rows)
    except FileNotFoundError as error:
        raise ShardError(f"{folder}: no {INDEX_NAME} here; is this a finished shard set?") from error
    except (pa.ArrowInvalid, OSError, SchemaError) as error:
        raise ShardError(f"{path}: not a readable shard index ({error})") from error


def _groups_from(metadata: pq.FileMetaData, first_row: int) -> tuple[list[int], int]:
    """Return the row groups that end behind a row, and how many rows lie before them."""
    num_skipped = group = 0
    while group < metadata.num_row_groups and num_skipped + metadata.row_group(group).num_rows <= first_row:
        num_skipped += metadata.row_group(group).num_rows
        group += 1
    return list(range(group, metadata.num_row_groups)), num_skipped


def _skip(batches: Iterator[pa.RecordBatch], num_rows: int) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch.slice(num_rows)
        num_rows = max(0, num_rows - batch.num_rows)


def _cut(batches: Iterator[pa.RecordBatch], *, num_rows: int) -> Iterator[pa.Table]:
    waiting = pa.Table.from_batches([], schema=SHARD_INDEX)
    for batch in batches:
        waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch]).replace_schema_metadata(None)])
        while waiting.num_rows >= num_rows:
            yield waiting.slice(0, num_rows).combine_chunks()
            waiting = waiting.slice(num_rows)
    if waiting.num_rows:
        yield waiting.combine_chunks()
