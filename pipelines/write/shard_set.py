"""Write a planned blend as a shard set: cut, write in parallel, finish with index, card and manifest."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import numpy.typing as npt

from curate.blend.plan import BlendPlan
from curate.blend.pool import Pool
from curate.contract.reasons import Stage
from pipelines.decide.decided import Decided
from pipelines.decide.decision import Decision, Rejections
from pipelines.engine.loop import Task
from pipelines.recipes.load import dump_recipe
from pipelines.recipes.recipe import Recipe
from pipelines.recipes.rule_sets import rule_configs
from pipelines.run.context import RunContext, stage_fingerprint
from pipelines.run.folder import write_json
from pipelines.run.many_files import in_threads
from pipelines.run.order import Order, write_order
from pipelines.run.workers import Workers
from pipelines.write.card_facts import collection_facts
from pipelines.write.spool import Wave, remove_spool, spool_partition
from pipelines.write.write_shards import is_shard_written, load_results, write_one_shard
from shards.card import FilterYield, ShardSetInfo
from shards.config import ShardsConfig
from shards.cut import cut_shards
from shards.finish import finish_shard_set, start_shard_set
from shards.writer import shard_name

Ints = npt.NDArray[np.integer]

VERSION = 3


def write_shard_set(workers: Workers, context: RunContext, *, decided: Decided, pool: Pool, plan: BlendPlan) -> None:
    """Write the shard set of ``context.recipe.blend`` beside any others.

    Args:
        workers: Of the run.
        context: The run.
        decided: The decision that it is made from.
        pool: Of that decision.
        plan: Of that pool.
    """
    folder, name = context.folder, context.recipe.blend.name
    order, made_from = lay_out(context, decided, pool, plan)
    start_shard_set(folder.file("shards", name))
    num_shards = int(order.shards[-1]) + 1 if len(order.shards) else 0
    for wave, label in _waves(context, decided.decision, pool, order, made_from=made_from):
        taken = _Taken.by(wave.shards, pool, order)
        _write_wave(workers, context, taken, wave, label=label)
    info = ShardSetInfo(
        name=name,
        recipe_sha256=recipe_digest(context.recipe),
        facts=collection_facts(context.recipe),
        datasheet=context.recipe.datasheet,
        blend=plan.summary,
        filters=_yields(context.recipe, decided.rejections),
    )
    finish_shard_set(folder.file("shards", name), load_results(context, name, num_shards, made_from), info=info)


def lay_out(context: RunContext, decided: Decided, pool: Pool, plan: BlendPlan) -> tuple[Order, str]:
    """Write a set's plan and what it takes of each partition; return its order, and what its shards are made from.

    Args:
        context: The run.
        decided: The decision that the set is made from.
        pool: Of that decision.
        plan: Of that pool.
    """
    name, decision = context.recipe.blend.name, decided.decision
    shards = cut_order(plan.rows, pool, context.recipe.shards)
    order = Order(rows=plan.rows, repeats=plan.repeats, shards=shards, starts=pool.starts)
    digest = order.digest(pool.hashes)
    write_order(context, name, order, made_from=digest)
    write_json(context.folder.file("blend", f"{name}.json"), {**plan.summary, "decision": decision.name})
    options = {"provenance": context.recipe.shards.provenance}
    inputs = [digest, decision.fingerprint, decided.manifest.digest("content")]
    return order, stage_fingerprint("shards", VERSION, options, inputs)


def cut_order(rows: Ints, pool: Pool, config: ShardsConfig) -> Ints:
    """Return the shard of every sample, [S].

    Args:
        rows: [S] of the pool, in order.
        pool: Every document that may be used.
        config: Most samples and bytes of a shard.
    """
    cuts = cut_shards(pool.num_bytes, max_bytes=int(config.bytes), max_samples=config.samples, rows=rows)
    return np.repeat(np.arange(len(cuts), dtype=np.int32), [len(places) for places in cuts])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Taken:
    """Which partitions a wave reads, and which of them each of its shards."""

    partitions: Ints
    """Numbers, rising."""
    by_shard: list[tuple[str, ...]]
    names: tuple[str, ...]
    """Of all partitions of the run."""

    @classmethod
    def by(cls, shards: range, pool: Pool, order: Order) -> Self:
        """Return what some shards take."""
        edges = np.searchsorted(order.shards, np.arange(shards.start, shards.stop + 1))
        by_shard, found = [], [np.zeros(0, np.int64)]
        for start, stop in pairwise(edges.tolist()):
            own = np.unique(np.searchsorted(pool.starts, order.rows[start:stop], side="right") - 1)
            by_shard.append(tuple(pool.partitions[number] for number in own.tolist()))
            found.append(own)
        return cls(partitions=np.unique(np.concatenate(found)), by_shard=by_shard, names=pool.partitions)


def _waves(
    context: RunContext, decision: Decision, pool: Pool, order: Order, *, made_from: str
) -> Iterator[tuple[Wave, str]]:
    """Yield shards as many as the spool has room for, each time with a word for the progress."""
    per_shard = np.bincount(order.shards, weights=pool.num_bytes[order.rows]).astype(np.int64)
    max_bytes = int(context.recipe.engine.spool_bytes)
    cuts = cut_shards(per_shard, max_bytes=max_bytes, max_samples=max(1, len(per_shard)))
    for number, cut in enumerate(cuts, start=1):
        of_wave = stage_fingerprint("spool", VERSION, {}, [made_from, str(cut)])
        name = context.recipe.blend.name
        wave = Wave(name=name, decision=decision, shards=cut, made_from=made_from, spooled_from=of_wave)
        yield wave, f" {number}/{len(cuts)}" if len(cuts) > 1 else ""


def _write_wave(workers: Workers, context: RunContext, taken: _Taken, wave: Wave, *, label: str) -> None:
    """Write what is missing of some shards: spool each partition's samples and say where they lie, then gather them."""
    if not all(in_threads(lambda shard: is_shard_written(context, wave.name, shard, wave.made_from), wave.shards)):
        spool = [
            Task(
                stage=Stage.SPOOL,
                partition=taken.names[number],
                call=spool_partition,
                args=(context, wave, number, taken.names[number]),
            )
            for number in taken.partitions.tolist()
        ]
        workers.finish(f"spool{label}", spool)
    tasks = [
        Task(
            stage=Stage.WRITE_SHARDS,
            partition=shard_name(shard),
            call=write_one_shard,
            args=(context, wave, shard, partitions),
        )
        for shard, partitions in zip(wave.shards, taken.by_shard, strict=True)
    ]
    workers.finish(f"shards{label}", tasks)
    remove_spool(context, wave.name)


def recipe_digest(recipe: Recipe) -> str:
    """Return the sha256 of the resolved recipe, without what changes no byte of the shards."""
    plain = recipe.model_copy(update={"engine": type(recipe.engine)()})
    return hashlib.sha256(dump_recipe(plain).encode()).hexdigest()


def _yields(recipe: Recipe, rejections: Rejections) -> list[FilterYield]:
    """Return what each rule of the recipe, and then each other reason, took away."""
    options = {**rule_configs(recipe.admit), **rule_configs(recipe.keep)}
    reasons = [*options, *sorted({reason for reason, _ in rejections} - set(options))]
    return [
        FilterYield(
            name=f"{reason} {options[reason].model_dump_json()}" if reason in options else reason,
            num_documents=rejections[reason, "documents"],
            num_images=rejections[reason, "images"],
        )
        for reason in reasons
    ]
