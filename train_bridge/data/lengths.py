"""Counts the tokens of every sample once, and keeps them beside the index in a file that is memory-mapped.

Packing needs exact lengths before anything is read, so each text is tokenised once when a shard set meets a new
tokenizer. The counts do not depend on the sequence length, the tokens per image or the seed: those may change freely.
All ranks and loader processes of a machine share one copy through the page cache, whatever the size of the corpus.
"""

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.errors import ShardError
from curate.contract.schemas import SHARD_INDEX
from shards.reader import ShardReader, read_index, read_json_part
from shards.storage import atomic_path
from train_bridge.packing.split import label_spans
from train_bridge.tokens.encoder import Encoded, TextEncoder
from train_bridge.tokens.faults import SampleFault

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
BATCH_SAMPLES = 1024
READ_THREADS = 8
ENCODER_KEY, GROUPS_KEY = "encoder", "groups"
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
    if path.exists() and Path(counts_path(str(path))).exists():
        return str(path)
    schema = LENGTHS.with_metadata({ENCODER_KEY: encoder.fingerprint()})
    counted = []
    with atomic_path(str(path)) as partial:
        with (
            pa.OSFile(str(partial), "wb") as file,
            pa.ipc.new_file(file, schema) as writer,
            ShardReader(folder) as reader,
        ):
            for table in _count_tables(index, reader=reader, encoder=encoder):
                writer.write_table(table.replace_schema_metadata(schema.metadata).combine_chunks())
                counted.append(_summary_columns(table))
        _write_counts(counts_path(str(path)), counted)
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
