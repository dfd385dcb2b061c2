"""Counts the tokens of every sample once, and keeps them beside the index in a file that is memory-mapped.

Packing needs exact lengths before anything is read, so each text is tokenised once when a shard set meets a new
tokenizer. The counts do not depend on the sequence length, the tokens per image or the seed: those may change freely.
All ranks and loader processes of a machine share one copy through the page cache, whatever the size of the corpus.
"""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from curate.contract.errors import ShardError
from curate.contract.schemas import SHARD_INDEX
from shards.reader import ShardReader, read_index
from train_bridge.faults import SampleFault
from train_bridge.split import label_spans
from train_bridge.tokens import Encoded, TextEncoder

LENGTHS = pa.schema(
    [
        *SHARD_INDEX,
        pa.field("num_ids", pa.int32(), nullable=False),  # tokens, an image counting as one
        pa.field("num_labels", pa.int32(), nullable=False),  # tokens with loss, without the first token
        pa.field("image_at", pa.list_(pa.int32()), nullable=False),  # indices of the placeholders
        pa.field("breaks", pa.list_(pa.int32()), nullable=False),  # indices at which to split if possible
        pa.field("label_spans", pa.list_(pa.int32()), nullable=False),  # start, stop, start, stop, ...
        pa.field("fault", pa.string()),  # SampleFault, null if the sample can be used
    ]
)
BATCH_SAMPLES = 1024
READ_THREADS = 8
FILE_ROWS = 65_536


def count_lengths(folder: str, *, encoder: TextEncoder, cache_dir: str) -> str:
    """Return the path of the lengths of a shard set, counting them unless they are there.

    The same set and encoder give the same bytes under the same name, so several machines may write it at once.

    Raises:
        ShardError: The folder is no finished shard set.
    """
    index = read_index(folder)
    key = hashlib.sha256(f"{_table_hash(index)} {encoder.fingerprint()}".encode()).hexdigest()[:16]
    path = Path(cache_dir) / f"lengths-{key}.arrow"
    if path.exists():
        return str(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with pa.OSFile(str(partial), "wb") as file, pa.ipc.new_file(file, LENGTHS) as writer, ShardReader(folder) as reader:
        for table in _count_tables(index, reader=reader, encoder=encoder):
            writer.write_table(table.combine_chunks())
    partial.replace(path)
    return str(path)


def read_json_part(reader: ShardReader, row: dict[str, Any]) -> dict[str, Any]:
    """Read ``KEY.json`` alone, the images of the sample staying on disk.

    Args:
        reader: Of the shard set.
        row: A row of the index; its first part is the JSON.

    Raises:
        ShardError: See ``ShardReader.read``.
    """
    part = row["parts"][0]
    num_bytes = part["offset"] + part["num_bytes"] - row["offset"]
    return reader.read({**row, "num_bytes": num_bytes, "parts": [part]}).record


def _table_hash(table: pa.Table) -> str:
    """Hash an index by content, not by how its file was written."""
    digest = hashlib.sha256()
    for batch in table.combine_chunks().to_batches(max_chunksize=FILE_ROWS):
        digest.update(pa.record_batch(batch.columns, schema=SHARD_INDEX).serialize())
    return digest.hexdigest()


def _count_tables(index: pa.Table, *, reader: ShardReader, encoder: TextEncoder) -> Iterator[pa.Table]:
    with ThreadPoolExecutor(READ_THREADS) as pool:
        for start in range(0, index.num_rows, FILE_ROWS):
            block = index.slice(start, FILE_ROWS)
            rows: list[dict[str, object]] = []
            for batch in block.to_batches(max_chunksize=BATCH_SAMPLES):
                records = list(pool.map(lambda row: _read(reader, row), batch.to_pylist()))
                rows += _count_batch(records, encoder)
            counts = pa.Table.from_pylist(rows, schema=pa.schema(list(LENGTHS)[len(SHARD_INDEX) :]))
            yield pa.table([*block.columns, *counts.columns], schema=LENGTHS)


def _read(reader: ShardReader, row: dict[str, Any]) -> dict[str, Any] | SampleFault:
    try:
        return read_json_part(reader, row)
    except ShardError:
        return SampleFault.UNREADABLE


def _count_batch(records: list[dict[str, Any] | SampleFault], encoder: TextEncoder) -> list[dict[str, object]]:
    encoded = iter(encoder.encode([record for record in records if not isinstance(record, SampleFault)]))
    results = [record if isinstance(record, SampleFault) else next(encoded) for record in records]
    return [_counts(result, image_token_id=encoder.image_token_id) for result in results]


def _counts(result: Encoded | SampleFault, *, image_token_id: int) -> dict[str, object]:
    if isinstance(result, SampleFault):
        empty: list[int] = []
        lists = {"image_at": empty, "breaks": empty, "label_spans": empty}
        return {"num_ids": 0, "num_labels": 0, **lists, "fault": str(result)}
    return {
        "num_ids": len(result.ids),
        "num_labels": int(result.labelled[1:].sum()),
        "image_at": np.flatnonzero(result.ids == image_token_id).astype(np.int32),
        "breaks": result.breaks,
        "label_spans": label_spans(result.labelled),
        "fault": None,
    }
