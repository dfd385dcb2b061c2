"""The spool: kept samples in the order in which shards want them, so that writing all shards reads a corpus once.

A blend takes every shard's samples from all partitions. Were each shard to look them up there, the corpus would be read
once per shard; instead each partition is read once, and its samples are written in the order of their first use as a
tar beside its index. A shard then finds its own as one stretch of each of those tars. This is the external shuffle of
MapReduce, with shards as reducers.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.errors import ShardError
from curate.contract.reasons import Stage
from curate.contract.schemas import SHARD_INDEX
from pipelines.engine.loop import Report
from pipelines.run.context import RunContext
from pipelines.run.folder import read_table, write_table
from pipelines.run.many_files import in_threads
from pipelines.run.tables import BLEND_ORDER
from pipelines.write.samples import load_samples
from shards.cut import cut_shards
from shards.reader import ShardReader, StoredSample
from shards.results import load_result, save_result
from shards.storage import remove_file
from shards.writer import write_shard

GATHER_BYTES = 128 * 1024 * 1024
"""Of samples that a task holds at a time."""
MAX_GATHERED = 10_000


def spool_partition(context: RunContext, name: str, partition: str, shards: range, made_from: str) -> Report:
    """Write what ``shards`` of the set ``name`` take from a partition, or skip it if that is there.

    Args:
        context: The run.
        name: Of the shard set; ``blend/NAME.parquet`` is its order.
        partition: To read.
        shards: Of the wave that is written now.
        made_from: Fingerprint of order, content and wave.
    """
    path, note = f"{spool_folder(context, name)}/{partition}.tar", _note_path(context, name, partition)
    if is_written(path, note, made_from):
        return Report(stage=Stage.SPOOL, partition=partition, skipped=True)
    order = context.folder.read(BLEND_ORDER, name, columns=["shard", "doc_id", "partition"])
    in_wave = pc.and_(pc.greater_equal(order["shard"], shards.start), pc.less(order["shard"], shards.stop))
    mine = order.filter(pc.and_(in_wave, pc.equal(order["partition"], partition)))
    doc_ids = list(dict.fromkeys(mine["doc_id"].to_pylist()))
    remove_file(note)  # it must not outlive the tar that it speaks of
    samples = load_samples(context, partition, doc_ids)
    result = write_shard(path, (samples[doc_id] for doc_id in doc_ids), shard=0)
    save_result(note, result, made_from=made_from)
    return Report(stage=Stage.SPOOL, partition=partition, counters={"bytes": result.num_bytes})


def write_gather_lists(context: RunContext, name: str, order: pa.Table, *, made_from: str) -> None:
    """Write for each shard of ``order`` where its samples lie in the spool: SHARD_INDEX, in the order of the shard.

    Args:
        context: The run.
        name: Of the shard set.
        order: shard, doc_id, partition of the samples of a wave.
        made_from: Of the spool.

    Raises:
        ShardError: A spooled partition is missing.
    """
    names = sorted(order["partition"].unique().to_pylist())
    notes = in_threads(lambda own: load_result(_note_path(context, name, own), made_from=made_from), names)
    places = pa.concat_tables(note.index for note in notes)
    found = places.take(pc.index_in(order["doc_id"], places["doc_id"].combine_chunks())).combine_chunks()
    starts = [0, *pc.add(pc.indices_nonzero(pc.not_equal(order["shard"][1:], order["shard"][:-1])), 1).to_pylist()]
    for start, stop in zip(starts, [*starts[1:], order.num_rows], strict=True):
        path = _gather_path(context, name, order["shard"][start].as_py())
        write_table(path, found.slice(start, stop - start), schema=SHARD_INDEX, made_from=made_from)


def gather(context: RunContext, name: str, shard: int) -> Iterator[StoredSample]:
    """Yield the samples of a shard in order, holding no more than ``GATHER_BYTES`` and a sample.

    Raises:
        ShardError: The spool is damaged.
    """
    rows: list[dict[str, Any]] = read_table(_gather_path(context, name, shard)).to_pylist()
    sizes = pa.array([row["num_bytes"] for row in rows], pa.int64()).to_numpy()
    with ShardReader(spool_folder(context, name)) as reader:
        for batch in cut_shards(sizes, max_bytes=GATHER_BYTES, max_samples=MAX_GATHERED):
            yield from reader.read_many(rows[batch.start : batch.stop])


def remove_spool(context: RunContext, name: str) -> None:
    """Remove the spool of a set and its lists."""
    file_system, target = fsspec.url_to_fs(spool_folder(context, name))
    if file_system.exists(target):
        file_system.rm(target, recursive=True)
        with suppress(OSError):  # that of another set lies beside it, or there are no folders
            file_system.rmdir(target.rpartition("/")[0])


def is_written(path: str, note: str, made_from: str) -> bool:
    """Say whether a tar is there, whole and made from this, by what was noted when it was written."""
    file_system, target = fsspec.url_to_fs(path)
    try:
        return bool(file_system.size(target) == load_result(note, made_from=made_from).num_bytes)
    except (ShardError, FileNotFoundError):
        return False


def spool_folder(context: RunContext, name: str) -> str:
    """Return where the spool of a set lies."""
    return context.folder.file("blend", "spool", name)


def _note_path(context: RunContext, name: str, partition: str) -> str:
    return f"{spool_folder(context, name)}/{partition}.parquet"


def _gather_path(context: RunContext, name: str, shard: int) -> str:
    return f"{spool_folder(context, name)}/gather/{shard:05d}.parquet"
