"""Shards: one task per shard of the blended order."""

import numpy as np
import pyarrow as pa

from curate.blend.plan import BlendPlan
from curate.contract.reasons import Stage
from pipelines.engine.loop import Report
from pipelines.run.context import RunContext
from pipelines.run.many_files import in_threads
from pipelines.run.tables import BLEND_ORDER
from pipelines.write.spool import gather, is_written
from shards.config import ShardsConfig
from shards.cut import cut_shards
from shards.results import load_result, save_result
from shards.storage import remove_file
from shards.writer import ShardResult, shard_name, write_records


def cut_order(plan: BlendPlan, pool: pa.Table, config: ShardsConfig) -> pa.Table:
    """Return the blend's order with the shard of every sample.

    Args:
        plan: Of the pool.
        pool: Table POOL.
        config: Most samples and bytes of a shard.
    """
    rows = pool.take(pa.array(plan.rows))
    sizes = pool["num_bytes"].to_numpy()
    cuts = cut_shards(sizes, max_bytes=int(config.bytes), max_samples=config.samples, rows=plan.rows)
    shards = np.zeros(len(plan.rows), np.int32)
    for number, places in enumerate(cuts):
        shards[places.start : places.stop] = number
    columns = [pa.array(shards), rows["doc_id"], rows["partition"], pa.array(plan.repeats)]
    return pa.table(columns, schema=BLEND_ORDER.schema).combine_chunks()


def write_one_shard(context: RunContext, name: str, shard: int, made_from: str) -> Report:
    """Write one shard of the set ``name`` from the spool, or skip it if it is there, made from the same."""
    if is_shard_written(context, name, shard, made_from):
        return Report(stage=Stage.WRITE_SHARDS, partition=shard_name(shard), skipped=True)
    path, note = _shard_path(context, name, shard), _note_path(context, name, shard)
    remove_file(note)  # it must not outlive the tar that it speaks of
    samples = ((stored.record, stored.images) for stored in gather(context, name, shard))
    result = write_records(path, samples, shard=shard)
    save_result(note, result, made_from=made_from)
    counters = {"samples": result.num_samples, "images": result.num_images, "bytes": result.num_bytes}
    return Report(stage=Stage.WRITE_SHARDS, partition=result.name, counters=counters)


def load_results(context: RunContext, name: str, num_shards: int, made_from: str) -> list[ShardResult]:
    """Return what the written shards of a set said of themselves, in order."""
    return in_threads(
        lambda shard: load_result(_note_path(context, name, shard), made_from=made_from), range(num_shards)
    )


def is_shard_written(context: RunContext, name: str, shard: int, made_from: str) -> bool:
    """Say whether a shard is there, whole, and made from the same order and content."""
    return is_written(_shard_path(context, name, shard), _note_path(context, name, shard), made_from)


def _shard_path(context: RunContext, name: str, shard: int) -> str:
    return context.folder.file("shards", name, shard_name(shard))


def _note_path(context: RunContext, name: str, shard: int) -> str:
    """Return where a written shard's result is kept: removed before the shard is written, saved after it."""
    return context.folder.file("blend", "written", name, f"{shard:05d}.parquet")
