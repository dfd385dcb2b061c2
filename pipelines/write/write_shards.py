"""Shards: one task per shard of the blended order."""

from collections.abc import Sequence

from curate.contract.reasons import Stage
from pipelines.engine.loop import Report
from pipelines.run.context import RunContext
from pipelines.write.spool import Wave, gather, is_written
from shards.results import StoredResults, save_result
from shards.storage import remove_file
from shards.writer import shard_name, write_records


def write_one_shard(context: RunContext, wave: Wave, shard: int, partitions: Sequence[str]) -> Report:
    """Write one shard of a set from the spool, or skip it if it is there, made from the same.

    Args:
        context: The run.
        wave: That the shard is of.
        shard: Its number.
        partitions: That it takes samples of.
    """
    if is_shard_written(context, wave.name, shard, wave.made_from):
        return Report(stage=Stage.WRITE_SHARDS, partition=shard_name(shard), skipped=True)
    path, note = _shard_path(context, wave.name, shard), _note_path(context, wave.name, shard)
    remove_file(note)  # it must not outlive the tar that it speaks of
    samples = ((stored.record, stored.images) for stored in gather(context, wave, shard, partitions))
    result = write_records(path, samples, shard=shard)
    save_result(note, result, made_from=wave.made_from)
    counters = {"samples": result.num_samples, "images": result.num_images, "bytes": result.num_bytes}
    return Report(stage=Stage.WRITE_SHARDS, partition=result.name, counters=counters)


def load_results(context: RunContext, name: str, num_shards: int, made_from: str) -> StoredResults:
    """Return what the written shards of a set said of themselves, in order, each read when it is asked for."""
    return StoredResults([_note_path(context, name, shard) for shard in range(num_shards)], made_from=made_from)


def is_shard_written(context: RunContext, name: str, shard: int, made_from: str) -> bool:
    """Say whether a shard is there, whole, and made from the same order and content."""
    return is_written(_shard_path(context, name, shard), _note_path(context, name, shard), made_from)


def _shard_path(context: RunContext, name: str, shard: int) -> str:
    return context.folder.file("shards", name, shard_name(shard))


def _note_path(context: RunContext, name: str, shard: int) -> str:
    """Return where a written shard's result is kept: removed before the shard is written, saved after it."""
    return context.folder.file("blend", "written", name, f"{shard:05d}.parquet")
