"""Write a planned blend as a shard set: cut, write in parallel, finish with index, card and manifest."""

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.blend.plan import BlendPlan
from curate.contract.reasons import Stage
from pipelines.decide.decided import DecidedPool, Rejections
from pipelines.engine.cluster import Client
from pipelines.engine.loop import Task, run_tasks
from pipelines.recipes.load import dump_recipe
from pipelines.recipes.recipe import Recipe
from pipelines.recipes.rule_sets import rule_configs
from pipelines.run.context import RunContext, items_digest, stage_fingerprint
from pipelines.run.folder import write_json
from pipelines.run.many_files import in_threads, read_stamps
from pipelines.run.progress import Progress
from pipelines.run.tables import BLEND_ORDER, CLIP_MEASURES, DOCUMENTS, IMAGES, MATCHES
from pipelines.write.card_facts import collection_facts
from pipelines.write.spool import remove_spool, spool_partition, write_gather_lists
from pipelines.write.write_shards import cut_order, is_shard_written, load_results, write_one_shard
from shards.card import FilterYield, ShardSetInfo
from shards.cut import cut_shards
from shards.finish import finish_shard_set, start_shard_set
from shards.writer import shard_name

VERSION = 1


def write_shard_set(
    client: Client, context: RunContext, progress: Progress, *, decided: DecidedPool, plan: BlendPlan, window: int
) -> None:
    """Write the shard set of ``context.recipe.blend`` beside any others."""
    folder, name = context.folder, context.recipe.blend.name
    order = cut_order(plan, decided.pool, context.recipe.shards)
    folder.write(BLEND_ORDER, name, rows=order, made_from="planned")
    write_json(folder.file("blend", f"{name}.json"), plan.summary)
    inputs = [folder.digest(BLEND_ORDER, name), *_content_digests(context, decided.pool)]
    made_from = stage_fingerprint("shards", VERSION, {}, inputs)
    start_shard_set(folder.file("shards", name))
    max_bytes = int(context.recipe.engine.spool_bytes)
    waves = _waves(order, decided.pool, max_bytes=max_bytes, made_from=made_from)
    for wave in waves:
        _write_wave(client, context, progress, wave, window=window)
    results = load_results(context, name, waves[-1].shards.stop if waves else 0, made_from)
    info = ShardSetInfo(
        name=name,
        recipe_sha256=recipe_digest(context.recipe),
        facts=collection_facts(context.recipe),
        datasheet=context.recipe.datasheet,
        blend=plan.summary,
        filters=_yields(context.recipe, decided.rejections),
    )
    finish_shard_set(folder.file("shards", name), results, info=info)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wave:
    """Shards that are written from one spool."""

    shards: range
    order: pa.Table
    """Of the whole set."""
    made_from: str
    """Of each shard."""
    label: str


def _waves(order: pa.Table, pool: pa.Table, *, max_bytes: int, made_from: str) -> list[_Wave]:
    """Cut the order where the spool is full."""
    places = pc.index_in(order["doc_id"], pool["doc_id"].combine_chunks())
    num_bytes = pool["num_bytes"].take(places).to_numpy()
    per_shard = np.bincount(order["shard"].to_numpy(), weights=num_bytes).astype(np.int64)
    cuts = cut_shards(per_shard, max_bytes=max_bytes, max_samples=max(1, len(per_shard)))
    return [
        _Wave(shards=cut, order=order, made_from=made_from, label=f" {number}/{len(cuts)}" if len(cuts) > 1 else "")
        for number, cut in enumerate(cuts, start=1)
    ]


def _write_wave(client: Client, context: RunContext, progress: Progress, wave: _Wave, *, window: int) -> None:
    """Write what is missing of some shards: spool every partition's samples, say where they lie, gather them."""
    name, made_from = context.recipe.blend.name, wave.made_from
    if not all(in_threads(lambda shard: is_shard_written(context, name, shard, made_from), wave.shards)):
        _spool(client, context, progress, wave, window=window)
    progress.begin(f"shards{wave.label}", len(wave.shards))
    tasks = (
        Task(
            stage=Stage.WRITE_SHARDS,
            partition=shard_name(shard),
            call=write_one_shard,
            args=(context, name, shard, made_from),
        )
        for shard in wave.shards
    )
    for report in run_tasks(client, tasks, window=window):
        progress.report(report)
    remove_spool(context, name)


def _spool(client: Client, context: RunContext, progress: Progress, wave: _Wave, *, window: int) -> None:
    name, shards, order = context.recipe.blend.name, wave.shards, wave.order
    made_from = stage_fingerprint("spool", VERSION, {}, [wave.made_from, str(shards)])
    mine = order.filter(pc.and_(pc.greater_equal(order["shard"], shards.start), pc.less(order["shard"], shards.stop)))
    names = sorted(mine["partition"].unique().to_pylist())
    progress.begin(f"spool{wave.label}", len(names))
    tasks = (
        Task(stage=Stage.SPOOL, partition=own, call=spool_partition, args=(context, name, own, shards, made_from))
        for own in names
    )
    for report in run_tasks(client, tasks, window=window):
        progress.report(report)
    write_gather_lists(context, name, mine, made_from=made_from)


def recipe_digest(recipe: Recipe) -> str:
    """Return the sha256 of the resolved recipe, without what changes no byte of the shards."""
    plain = recipe.model_copy(update={"engine": type(recipe.engine)()})
    return hashlib.sha256(dump_recipe(plain).encode()).hexdigest()


def _content_digests(context: RunContext, pool: pa.Table) -> list[str]:
    """Return the digests of all that samples are made of."""
    tables = [MATCHES, IMAGES, DOCUMENTS, *([CLIP_MEASURES] if context.recipe.clip is not None else [])]
    names = sorted(pool["partition"].unique().to_pylist())
    stamps = read_stamps([context.folder.path(table, name) for name in names for table in tables])
    items = in_threads(lambda name: items_digest(context, name), names)
    return [*items, *(stamp.digest if stamp is not None else "" for stamp in stamps)]


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
