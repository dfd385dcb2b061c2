"""The spool: kept samples in the order in which shards want them, so that writing all shards reads a corpus once.

A blend takes every shard's samples from all partitions. Were each shard to look them up there, the corpus would be read
once per shard; instead each partition is read once, and its samples are written in the order of their first use as a
tar beside a split file that says where each shard finds its own: one stretch of each of those tars. This is the
external shuffle of MapReduce, with shards as reducers.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.errors import ShardError
from curate.contract.reasons import Stage
from curate.contract.schemas import SHARD_INDEX
from pipelines.decide.decision import Decision
from pipelines.decide.finish import load_decided
from pipelines.engine.loop import Report
from pipelines.run.context import RunContext
from pipelines.run.many_files import in_threads
from pipelines.run.order import read_order
from pipelines.run.splits import read_part, write_split
from pipelines.write.samples import load_samples
from shards.cut import cut_shards
from shards.reader import ShardReader, StoredSample
from shards.results import load_result, save_result
from shards.sample import Sample
from shards.storage import remove_file
from shards.writer import write_shard

PLACES = pa.schema([pa.field("place", pa.int64(), nullable=False), *SHARD_INDEX])
"""Where samples of a shard set lie in the spool: their place in the set, and a row of the spool's own index."""
GATHER_BYTES = 128 * 1024 * 1024
"""Of samples that a task holds at a time."""
MAX_GATHERED = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Wave:
    """Shards of a set that are written from one spool."""

    name: str
    """Of the set."""
    decision: Decision
    """That it is made from."""
    shards: range
    made_from: str
    """Fingerprint of each shard: of order and content."""
    spooled_from: str
    """Fingerprint of the spool: of order, content and wave."""


def spool_partition(context: RunContext, wave: Wave, number: int, partition: str) -> Report:
    """Write what a wave takes from a partition, and where each of its shards finds its own, or skip it if it is there.

    Args:
        context: The run.
        wave: Shards that are written now.
        number: Of the partition.
        partition: Its name.
    """
    path, note = f"{spool_folder(context, wave.name)}/{partition}.tar", _note_path(context, wave.name, partition)
    if is_written(path, note, wave.spooled_from):
        return Report(stage=Stage.SPOOL, partition=partition, skipped=True)
    order = read_order(context, wave.name, number)
    in_wave = pc.and_(pc.greater_equal(order["shard"], wave.shards.start), pc.less(order["shard"], wave.shards.stop))
    mine = order.filter(in_wave)
    rows = mine["row"].unique()
    pool = load_decided(context, wave.decision, wave.decision.pool, number, partition)
    remove_file(note)  # it must not outlive the tar that it speaks of
    result = write_shard(path, _samples(context, wave.decision, (number, partition), pool.take(rows)), shard=0)
    found = result.index.take(pc.index_in(mine["row"], value_set=rows))
    places = pa.table([mine["place"], *found.columns], schema=PLACES)
    parts = mine["shard"].to_numpy().astype(np.int64) - wave.shards.start
    write_split(
        _places_path(context, wave.name, partition),
        places,
        parts,
        num_parts=len(wave.shards),
        schema=PLACES,
        made_from=wave.spooled_from,
    )
    save_result(note, result, made_from=wave.spooled_from)
    return Report(stage=Stage.SPOOL, partition=partition, counters={"bytes": result.num_bytes})


def _samples(context: RunContext, decision: Decision, partition: tuple[int, str], pool: pa.Table) -> Iterator[Sample]:
    """Yield the samples of some rows of a pool in their order, no more than ``GATHER_BYTES`` of them held at a time."""
    doc_ids, sizes = pool["doc_id"].to_pylist(), pool["num_bytes"].to_numpy()
    for batch in cut_shards(sizes, max_bytes=GATHER_BYTES, max_samples=MAX_GATHERED):
        own = doc_ids[batch.start : batch.stop]
        samples = load_samples(context, decision, *partition, own)
        yield from (samples.pop(doc_id) for doc_id in own)


def gather(context: RunContext, wave: Wave, shard: int, partitions: Sequence[str]) -> Iterator[StoredSample]:
    """Yield the samples of a shard in order, holding no more than ``GATHER_BYTES`` and a sample.

    Args:
        context: The run.
        wave: That the shard is of.
        shard: Its number.
        partitions: That it takes samples of.

    Raises:
        ShardError: The spool is damaged.
    """
    part = shard - wave.shards.start
    found = in_threads(lambda name: read_part(_places_path(context, wave.name, name), part), partitions)
    places = pa.concat_tables([PLACES.empty_table(), *found]).sort_by("place").drop_columns(["place"])
    rows: list[dict[str, Any]] = places.to_pylist()
    sizes = places["num_bytes"].to_numpy()
    with ShardReader(spool_folder(context, wave.name)) as reader:
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


def _places_path(context: RunContext, name: str, partition: str) -> str:
    return f"{spool_folder(context, name)}/{partition}.arrow"
