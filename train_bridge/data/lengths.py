"""Counts the tokens of every sample once, and keeps them beside the index in a file that is memory-mapped.

Packing needs exact lengths before anything is read, so each text is tokenised once when a shard set meets a new
tokenizer. The counts do not depend on the sequence length, the tokens per image or the seed: those may change freely.
All ranks and loader processes of a machine share one copy through the page cache, whatever the size of the corpus.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.schemas import SHARD_INDEX
from shards.reader import read_index
from shards.storage import atomic_path
from train_bridge.data.counting import COUNTED, CountRows, open_counter
from train_bridge.tokens.encoder import TextEncoder

LENGTHS = pa.schema(
    [
        *SHARD_INDEX,
        *COUNTED,
    ]
)
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
"""What planning reads of every sample: one record batch, so that a column is one array of the mapped file."""
ENCODER_KEY, GROUPS_KEY = "encoder", "groups"
FILE_ROWS = 65_536
LARGE_SET = 50_000
"""Samples from which on starting processes pays."""


def count_lengths(folder: str, *, encoder: TextEncoder, cache_dir: str, num_processes: int | None = None) -> str:
    """Return the path of the lengths of a shard set, counting them unless they are there.

    The same set and encoder give the same bytes under the same name, so several machines may write it at once. What was
    counted before a kill is not counted again.

    Args:
        folder: Of the set.
        encoder: Of its text.
        cache_dir: Where lengths are kept.
        num_processes: That count; by default all processors for a large set, this process alone for a small one.

    Raises:
        ShardError: The folder is no finished shard set.
    """
    index = read_index(folder)
    key = hashlib.sha256(f"{_table_hash(index)} {encoder.fingerprint()}".encode()).hexdigest()[:16]
    path = Path(cache_dir) / f"lengths-{key}.arrow"
    if path.exists() and Path(counts_path(str(path))).exists():
        return str(path)
    schema = LENGTHS.with_metadata({ENCODER_KEY: encoder.fingerprint()})
    counted = []
    with atomic_path(str(path)) as partial:
        with (
            pa.OSFile(str(partial), "wb") as file,
            pa.ipc.new_file(file, schema) as writer,
            open_counter(folder, encoder=encoder, num_processes=num_processes or _num_processes(index)) as count,
        ):
            for table in _count_tables(index, count=count, part_of=path):
                writer.write_table(table.replace_schema_metadata(schema.metadata).combine_chunks())
                counted.append(_summary_columns(table))
        _write_counts(counts_path(str(path)), counted)
    for part in path.parent.glob(f"{path.name}.part-*"):
        part.unlink(missing_ok=True)
    return str(path)


def counts_path(path: str) -> str:
    """Return where the summary of a file of lengths is."""
    return str(Path(path).with_name(Path(path).name.replace("lengths-", "counts-", 1)))


def counted_encoder(path: str) -> str:
    """Return the fingerprint of the encoder that counted a file of lengths."""
    with pa.memory_map(path) as file:
        metadata = pa.ipc.open_file(file).schema.metadata or {}
    return str(metadata.get(ENCODER_KEY.encode(), b"").decode())


def _summary_columns(table: pa.Table) -> pa.Table:
    """Return the columns of COUNTS, with source and kind in place of the group."""
    digests = [hashlib.sha256(doc_id.encode()).digest()[:4] for doc_id in table["doc_id"].to_pylist()]
    usable = pc.and_(pc.is_null(table["fault"]), pc.greater(table["num_labels"], 0))
    return pa.table(
        {
            "num_ids": table["num_ids"],
            "num_images": pc.list_value_length(table["image_at"]),
            "num_labels": table["num_labels"],
            "source": table["source"],
            "kind": table["kind"],
            "bucket": np.frombuffer(b"".join(digests), dtype=">u4").astype(np.uint32),
            "usable": pc.cast(usable, pa.uint8()),
        }
    )


def _write_counts(path: str, counted: list[pa.Table]) -> None:
    empty: list[Any] = []
    table = pa.concat_tables(counted) if counted else None
    pairs = empty if table is None else list(zip(table["source"].to_pylist(), table["kind"].to_pylist(), strict=True))
    groups = sorted(set(pairs))
    places = {pair: place for place, pair in enumerate(groups)}
    columns = [
        pa.array([places[pair] for pair in pairs], field.type)
        if field.name == "group"
        else (pa.array(empty, field.type) if table is None else pc.cast(table[field.name], field.type).combine_chunks())
        for field in COUNTS
    ]
    schema = COUNTS.with_metadata({GROUPS_KEY: json.dumps(groups)})
    with atomic_path(path) as partial, pa.OSFile(str(partial), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        writer.write_batch(pa.record_batch(columns, schema=schema))


def _table_hash(table: pa.Table) -> str:
    """Hash an index by content, not by how its file was written."""
    digest = hashlib.sha256()
    for batch in table.combine_chunks().to_batches(max_chunksize=FILE_ROWS):
        digest.update(pa.record_batch(batch.columns, schema=SHARD_INDEX).serialize())
    return digest.hexdigest()


def _num_processes(index: pa.Table) -> int:
    return 1 if index.num_rows < LARGE_SET else os.cpu_count() or 1


def _count_tables(index: pa.Table, *, count: CountRows, part_of: Path) -> Iterator[pa.Table]:
    """Count block by block; a block of several is kept in a file of its own until the last is counted."""
    for start in range(0, index.num_rows, FILE_ROWS):
        block = index.slice(start, FILE_ROWS)
        part = part_of.with_name(f"{part_of.name}.part-{start}")
        table = _read_part(part)
        if table is None:
            table = pa.table([*block.columns, *count(block).columns], schema=LENGTHS).combine_chunks()
            if index.num_rows > FILE_ROWS:
                with atomic_path(str(part)) as partial, pa.ipc.new_file(str(partial), LENGTHS) as writer:
                    writer.write_table(table)
        yield table


def _read_part(path: Path) -> pa.Table | None:
    """Return a block that was counted before; None if it was not, or another process has just finished the set."""
    try:
        with pa.memory_map(str(path)) as file:
            return pa.ipc.open_file(file).read_all()
    except FileNotFoundError:
        return None
