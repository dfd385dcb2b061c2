"""Shards: one task per shard of the blended order."""

from collections.abc import Iterator
from itertools import groupby

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.errors import ShardError
from pipelines.context import RunContext
from pipelines.engine import Report
from pipelines.run_folder import read_table
from pipelines.samples import load_samples
from shards.config import ShardsConfig
from shards.cut import cut_shards
from shards.results import load_result, remove_result, save_result
from shards.sample import Sample
from shards.writer import ShardResult, shard_name, write_shard

ORDER = pa.schema(
    [
        pa.field("shard", pa.int32(), nullable=False),
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("partition", pa.string(), nullable=False),
        pa.field("repeat", pa.int32(), nullable=False),  # 0 for a document's first use
    ]
)
"""``blend/NAME.parquet``: one row per sample, in the order of the blend."""


def cut_order(order: pa.Table, pool: pa.Table, config: ShardsConfig) -> pa.Table:
    """Return the blend's order with the shard of every sample.

    Args:
        order: pool_row, repeat.
        pool: Schema POOL.
        config: Most samples and bytes of a shard.
    """
    rows = pool.take(order["pool_row"])
    shards = np.zeros(order.num_rows, np.int32)
    for number, places in enumerate(cut_shards(rows["num_bytes"].to_numpy(), config)):
        shards[places.start : places.stop] = number
    columns = [pa.array(shards), rows["doc_id"], rows["partition"], order["repeat"]]
    return pa.table(columns, schema=ORDER).combine_chunks()


def write_one_shard(context: RunContext, name: str, shard: int, made_from: str) -> Report:
    """Write one shard of the set ``name``, or skip it if it is there, made from the same order and content."""
    path, note = context.folder.file("shards", name, shard_name(shard)), note_path(context, name, shard)
    if _is_written(path, note, made_from):
        return Report(stage="shards", partition=shard_name(shard), skipped=True)
    order = read_table(context.folder.file("blend", f"{name}.parquet"))
    remove_result(note)
    result = write_shard(path, _samples(context, order.filter(pc.equal(order["shard"], shard))), shard=shard)
    save_result(note, result, made_from=made_from)
    counters = {"samples": result.num_samples, "images": result.num_images, "bytes": result.num_bytes}
    return Report(stage="shards", partition=result.name, counters=counters)


def load_results(context: RunContext, name: str, num_shards: int, made_from: str) -> list[ShardResult]:
    """Return what the written shards of a set said of themselves, in order."""
    return [load_result(note_path(context, name, shard), made_from=made_from) for shard in range(num_shards)]


def note_path(context: RunContext, name: str, shard: int) -> str:
    """Return where a written shard's result is kept: removed before the shard is written, saved after it."""
    return context.folder.file("blend", "written", name, f"{shard:05d}.parquet")


def _is_written(path: str, note: str, made_from: str) -> bool:
    filesystem, target = fsspec.url_to_fs(path)
    try:
        return bool(filesystem.size(target) == load_result(note, made_from=made_from).num_bytes)
    except (ShardError, FileNotFoundError):
        return False


def _samples(context: RunContext, order: pa.Table) -> Iterator[Sample]:
    """Yield a shard's samples in order; each partition is read once."""
    rows = sorted(zip(order["partition"].to_pylist(), order["doc_id"].to_pylist(), strict=True))
    samples: dict[str, Sample] = {}
    for partition, group in groupby(rows, key=lambda row: row[0]):
        samples |= load_samples(context, partition, (doc_id for _, doc_id in group))
    for doc_id in order["doc_id"].to_pylist():
        yield samples[doc_id]
