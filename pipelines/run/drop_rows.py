"""Take stored images or pages away for good: their bytes leave every segment that holds them."""

from collections.abc import Collection

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.run.context import RunContext, load_documents
from pipelines.run.folder import RunFolder, parquet_options, row_group_size
from pipelines.run.segments import (
    adopt_whole_file,
    in_document_order,
    key_columns,
    load_segments,
    row_keys,
    write_index,
)
from pipelines.run.segments import segment_place as place_of
from pipelines.run.stored import Key
from pipelines.run.tables import Table
from shards.storage import atomic_path

DROPPED = "rows were dropped"
"""Stands for what an index was made from: a later fetch finds its work undone and asks what is wanted now."""


def drop_rows(context: RunContext, table: Table, partition: str, keys: Collection[Key]) -> int:
    """Remove rows and their bytes, also those that another URL has replaced; return how many there were.

    Segments are rewritten first, each atomically, then the index. A call that was interrupted may be made again; until
    then the bytes of rows that are gone cannot be read, and nothing brings them back.

    Args:
        context: The run, in which nothing else works meanwhile.
        table: IMAGES or PAGES.
        partition: Its name.
        keys: doc_id, and position where the table has one, of the rows.
    """
    folder = context.folder
    adopt_whole_file(folder, table, partition)
    segments = folder.parts(table, partition)
    num_dropped = sum(_rewrite(folder, table, place_of(partition, name), keys) for name in segments)
    if num_dropped:
        rows, _ = load_segments(folder, table, partition)
        rows = in_document_order(rows, load_documents(context, partition), key_columns(table))
        write_index(folder, table, partition, rows=rows, made_from=DROPPED)
    return num_dropped


def _rewrite(folder: RunFolder, table: Table, of: str, keys: Collection[Key]) -> int:
    """Write a segment again without some rows, a row group at a time; return how many these are."""
    names, path = key_columns(table)[:-1], folder.path(table, of)
    held = folder.read(table, of, columns=names)
    num_dropped = sum(key in keys for key in row_keys(held, names))
    if num_dropped:
        with fsspec.open(path, "rb") as file, atomic_path(path) as target:
            reader = pq.ParquetFile(file, pre_buffer=False)
            schema = reader.schema_arrow
            with pq.ParquetWriter(target, schema, **parquet_options(schema.names)) as writer:
                for group in range(reader.num_row_groups):
                    rows = reader.read_row_group(group, use_threads=False)
                    stays = pa.array([key not in keys for key in row_keys(rows, names)], pa.bool_())
                    writer.write_table(rows.filter(stays), row_group_size=row_group_size(rows))
    return num_dropped
