"""Write a blend that is laid out as a shard set: in parallel, finished with index, card and manifest."""

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from curate.contract.reasons import Stage
from pipelines.decide.decision import Rejections
from pipelines.engine.loop import Task
from pipelines.recipes.load import dump_recipe
from pipelines.recipes.recipe import Recipe
from pipelines.recipes.rule_sets import rule_configs
from pipelines.run.context import RunContext, stage_fingerprint
from pipelines.run.many_files import in_threads
from pipelines.run.workers import Workers
from pipelines.write.card_facts import collection_facts
from pipelines.write.layout import VERSION, Layout
from pipelines.write.spool import Wave, remove_spool, spool_partition
from pipelines.write.write_shards import is_shard_written, load_results, write_one_shard
from shards.card import FilterYield, ShardSetInfo
from shards.cut import cut_shards
from shards.finish import finish_shard_set, start_shard_set
from shards.writer import shard_name


def write_shard_set(workers: Workers, context: RunContext, layout: Layout) -> None:
    """Write the shard set of ``context.recipe.blend`` beside any others.

    Args:
        workers: Of the run.
        context: The run.
        layout: Of that set.
    """
    folder, name = context.folder, context.recipe.blend.name
    start_shard_set(folder.file("shards", name))
    for wave, label in _waves(context, layout):
        _write_wave(workers, context, layout, wave, label=label)
    info = describe(context.recipe, layout.decided.rejections, layout.summary)
    results = load_results(context, name, len(layout.num_bytes), layout.made_from)
    finish_shard_set(folder.file("shards", name), results, info=info)


def _waves(context: RunContext, layout: Layout) -> Iterator[tuple[Wave, str]]:
    """Yield shards as many as the spool has room for, each time with a word for the progress."""
    num_bytes = np.array(layout.num_bytes, dtype=np.int64)
    max_bytes = int(context.recipe.engine.spool_bytes)
    cuts = cut_shards(num_bytes, max_bytes=max_bytes, max_samples=max(1, len(num_bytes)))
    for number, cut in enumerate(cuts, start=1):
        of_wave = stage_fingerprint("spool", VERSION, {}, [layout.made_from, str(cut)])
        wave = Wave(
            name=context.recipe.blend.name,
            decision=layout.decided.decision,
            shards=cut,
            made_from=layout.made_from,
            spooled_from=of_wave,
        )
        yield wave, f" {number}/{len(cuts)}" if len(cuts) > 1 else ""


def _write_wave(workers: Workers, context: RunContext, layout: Layout, wave: Wave, *, label: str) -> None:
    """Write what is missing of some shards: spool each partition's samples and say where they lie, then gather them."""
    names, taken = layout.decided.manifest.partitions, layout.partitions[wave.shards.start : wave.shards.stop]
    if not all(in_threads(lambda shard: is_shard_written(context, wave.name, shard, wave.made_from), wave.shards)):
        spool = [
            Task(
                stage=Stage.SPOOL,
                partition=names[number],
                call=spool_partition,
                args=(context, wave, number, names[number]),
            )
            for number in np.unique(np.concatenate(taken)).tolist()
        ]
        workers.finish(f"spool{label}", spool)
    tasks = [
        Task(
            stage=Stage.WRITE_SHARDS,
            partition=shard_name(shard),
            call=write_one_shard,
            args=(context, wave, shard, tuple(names[number] for number in own.tolist())),
        )
        for shard, own in zip(wave.shards, taken, strict=True)
    ]
    workers.finish(f"shards{label}", tasks)
    remove_spool(context, wave.name)


def describe(recipe: Recipe, rejections: Rejections, summary: dict[str, Any]) -> ShardSetInfo:
    """Return what a set's samples do not tell.

    Args:
        recipe: That it was made by.
        rejections: Of its decision.
        summary: Of its plan.
    """
    return ShardSetInfo(
        name=recipe.blend.name,
        recipe_sha256=recipe_digest(recipe),
        facts=collection_facts(recipe),
        datasheet=recipe.datasheet,
        blend=summary,
        filters=_yields(recipe, rejections),
    )


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
