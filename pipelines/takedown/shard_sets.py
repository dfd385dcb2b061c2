"""What a takedown does to a shard set: its decision without what is gone, and only the shards that hold some of it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.ids import image_number
from curate.contract.reasons import Stage
from curate.contract.schemas import BLEND_ORDER, COPIES, SHARD_INDEX, table_from_rows
from pipelines.decide.decision import Decision
from pipelines.decide.facts_table import load_facts
from pipelines.decide.finish import finish_group
from pipelines.engine.loop import Report
from pipelines.run.context import RunContext
from pipelines.run.joins import keys_of
from pipelines.run.manifest import Fold
from pipelines.run.order import order_path, read_order
from pipelines.run.splits import is_split_written, read_part, write_split
from pipelines.takedown.partition import image_keys
from pipelines.write.samples import load_samples
from pipelines.write.spool import GATHER_BYTES, MAX_GATHERED
from pipelines.write.write_shards import note_path, shard_path
from shards.cut import cut_shards
from shards.reader import ShardReader
from shards.results import read_made_from, save_result
from shards.sample import sample_images, sample_record
from shards.scan import scan_shard
from shards.storage import remove_file
from shards.writer import shard_name, write_records

KEY_COLUMNS = ["document", "position", "doc_id"]
Changes = dict[str, tuple[int, str] | None]
"""doc_id -> number and name of its partition where a sample is other than before, None where it is gone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SetChange:
    """What a takedown does to a set."""

    name: str
    old: Decision
    new: Decision
    touched: frozenset[str]
    """Partitions that hold something that is gone."""


def carry_copies(context: RunContext, change: SetChange, fold: Fold) -> Report:
    """Write which images of a fold fall as copies by the new decision: the same ones, but for those that are gone."""
    path, _ = change.new.copies_path(context, fold.start)

    def copies(number: int, name: str) -> pa.Table:
        if name in change.touched:
            return _copies_of(context, change.old, number, name)
        return read_part(*change.old.copies_path(context, number))

    is_there = _carry_fold(path, change, fold, copies, schema=COPIES)
    return Report(stage=Stage.DEDUP, partition=fold.name, skipped=is_there)


def _copies_of(context: RunContext, old: Decision, number: int, name: str) -> pa.Table:
    """Return the copies of a partition by its old verdicts: pages that are gone left no rows, so others moved up."""
    facts = load_facts(context, name, columns=KEY_COLUMNS)
    row_of = {key: row for row, key in enumerate(image_keys(facts))}
    verdicts = context.folder.read(old.verdicts, name)
    rows = [
        {
            "image": image_number(number, row_of[verdict["doc_id"], verdict["position"]]),
            "reason": verdict["reason"],
            "original": verdict["detail"].removeprefix("of "),
        }
        for verdict in verdicts.filter(pc.equal(verdicts["stage"], str(Stage.DEDUP))).to_pylist()
        if (verdict["doc_id"], verdict["position"]) in row_of
    ]
    return table_from_rows(sorted(rows, key=itemgetter("image")), COPIES)


def carry_decision(context: RunContext, change: SetChange, group: Fold) -> Report:
    """Write the new decision of some neighbouring partitions: the old one's tables where nothing has changed."""
    for name in group.partitions:
        if name not in change.touched:
            for old, new in zip(change.old.tables, change.new.tables, strict=True):
                rows = context.folder.read(old, name)
                context.folder.write(new, name, rows=rows, made_from=change.new.fingerprint)
    return finish_group(context, change.new, group)


def look_at_order(context: RunContext, change: SetChange, fold: Fold) -> Report:
    """Report what becomes of the samples that the set takes of a fold: changes by shard.

    Nothing, where the fold's order is carried over: then its shards were rewritten before.
    """
    found: dict[int, Changes] = {}
    if not is_split_written(order_path(context, change.name, fold.number), change.new.fingerprint):
        for part, partition in enumerate(fold.partitions):
            if partition in change.touched:
                order = read_order(context, change.name, fold.start + part)
                _carry(context, change, (fold.start + part, partition), order, found)
    return Report(stage=Stage.BLEND, partition=fold.name, found=found)


def carry_order(context: RunContext, change: SetChange, fold: Fold) -> Report:
    """Write what the set takes of a fold by the new decision; last, as it needs the order by the old one."""

    def order(number: int, name: str) -> pa.Table:
        own = read_order(context, change.name, number)
        return _carry(context, change, (number, name), own, {}) if name in change.touched else own

    is_there = _carry_fold(order_path(context, change.name, fold.number), change, fold, order, schema=BLEND_ORDER)
    return Report(stage=Stage.BLEND, partition=fold.name, skipped=is_there)


def _carry_fold(
    path: str, change: SetChange, fold: Fold, rows_of: Callable[[int, str], pa.Table], *, schema: pa.Schema
) -> bool:
    """Write a split file of a fold from the rows of each partition; say whether it was there already."""
    if is_split_written(path, change.new.fingerprint):
        return True
    found = [rows_of(fold.start + part, name) for part, name in enumerate(fold.partitions)]
    write_split(
        path,
        pa.concat_tables(found),
        np.repeat(np.arange(len(found)), [rows.num_rows for rows in found]),
        num_parts=len(found),
        schema=schema,
        made_from=change.new.fingerprint,
    )
    return False


def _carry(
    context: RunContext, change: SetChange, partition: tuple[int, str], order: pa.Table, found: dict[int, Changes]
) -> pa.Table:
    """Return the order of one partition by the rows of its new pool; note what changes in ``found``."""
    _, name = partition
    both = (change.old, change.new)
    old_pool, new_pool = (context.folder.read(one.pool, name)["doc_id"] for one in both)
    old_images, new_images = (_rows_by_document(context.folder.read(one.matches, name)) for one in both)
    doc_ids = old_pool.take(order["row"])
    rows = pc.index_in(doc_ids, value_set=new_pool.combine_chunks())
    for doc_id, row, shard in zip(doc_ids.to_pylist(), rows.to_pylist(), order["shard"].to_pylist(), strict=True):
        if row is None:
            found.setdefault(shard, {})[doc_id] = None
        elif old_images.get(doc_id) != new_images.get(doc_id):
            found.setdefault(shard, {})[doc_id] = partition
    place = order.schema.get_field_index("row")
    return order.set_column(place, order.schema.field("row"), rows.cast(pa.int32()).fill_null(0)).filter(
        rows.is_valid()
    )


def _rows_by_document(matches: pa.Table) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = {}
    values = zip(matches["matched_position"].to_pylist(), matches["matched_sim"].to_pylist(), strict=True)
    for (doc_id, position), value in zip(keys_of(matches), values, strict=True):
        found.setdefault(doc_id, []).append((position, *value))
    return found


def rewrite_shard(context: RunContext, change: SetChange, shard: int, changes: Changes) -> Report:
    """Write one shard again without what is gone; one of which nothing is left is removed."""
    path, note = shard_path(context, change.name, shard), note_path(context, change.name, shard)
    try:
        # The tar itself is asked: a run that was killed may have written it again, and not its note.
        index = scan_shard(context.folder.file("shards", change.name), shard_name(shard)).index
    except FileNotFoundError:  # it was removed then
        index = SHARD_INDEX.empty_table()
    if all(changes.get(doc_id, ()) is None for doc_id in set(index["doc_id"].to_pylist())):
        for gone in (path, f"{path}.idx", note):
            remove_file(gone)
    else:
        samples = _samples(context, change, index, changes)
        save_result(note, write_records(path, samples, shard=shard), made_from=read_made_from(note))
    return Report(stage=Stage.WRITE_SHARDS, partition=shard_name(shard), counters={"samples": index.num_rows})


def _samples(
    context: RunContext, change: SetChange, index: pa.Table, changes: Changes
) -> Iterator[tuple[Mapping[str, Any], Any]]:
    fresh = _load_changed(context, change, changes)
    rows, sizes = index.to_pylist(), index["num_bytes"].to_numpy()
    with ShardReader(context.folder.file("shards", change.name)) as reader:
        for batch in cut_shards(sizes, max_bytes=GATHER_BYTES, max_samples=MAX_GATHERED):
            for stored in reader.read_many(rows[batch.start : batch.stop]):
                doc_id = stored.record["doc_id"]
                if doc_id not in changes:
                    yield stored.record, stored.images
                elif doc_id in fresh:
                    yield fresh[doc_id]


def _load_changed(context: RunContext, change: SetChange, changes: Changes) -> dict[str, tuple[Mapping[str, Any], Any]]:
    """Return the new samples of documents of which something is left."""
    by_partition: dict[tuple[int, str], list[str]] = {}
    for doc_id, partition in changes.items():
        if partition is not None:
            by_partition.setdefault(partition, []).append(doc_id)
    return {
        doc_id: (sample_record(sample), sample_images(sample))
        for (number, name), doc_ids in by_partition.items()
        for doc_id, sample in load_samples(context, change.new, number, name, doc_ids).items()
    }
