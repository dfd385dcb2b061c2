"""Write a planned blend as a shard set: cut, write in parallel, finish with index, card and manifest."""

import hashlib

import pyarrow as pa
from distributed import Client

from curate.blend.plan import BlendPlan
from pipelines.card_facts import collection_facts
from pipelines.context import RunContext, items_digest, stage_fingerprint
from pipelines.decided import DecidedPool, Rejections, in_threads, read_stamps
from pipelines.engine import Task, run_tasks
from pipelines.progress import Progress
from pipelines.recipe import Recipe, rule_configs
from pipelines.recipe_load import dump_recipe
from pipelines.run_folder import write_json, write_table
from pipelines.stages.write_shards import ORDER, cut_order, load_results, write_one_shard
from shards.card import FilterYield, ShardSetInfo
from shards.finish import finish_shard_set, start_shard_set
from shards.writer import shard_name

VERSION = 1


def write_shard_set(
    client: Client, context: RunContext, progress: Progress, *, decided: DecidedPool, plan: BlendPlan, window: int
) -> None:
    """Write the shard set of ``context.recipe.blend`` beside any others."""
    folder, name = context.folder, context.recipe.blend.name
    order = cut_order(plan.order, decided.pool, context.recipe.shards)
    stamp = write_table(folder.file("blend", f"{name}.parquet"), order, schema=ORDER, made_from="planned")
    write_json(folder.file("blend", f"{name}.json"), plan.summary)
    made_from = stage_fingerprint("shards", VERSION, {}, [stamp.digest, *_content_digests(context, decided.pool)])
    num_shards = order["shard"][-1].as_py() + 1 if order.num_rows else 0
    progress.begin("shards", num_shards)
    start_shard_set(folder.file("shards", name))
    tasks = (
        Task(stage="shards", partition=shard_name(shard), call=write_one_shard, args=(context, name, shard, made_from))
        for shard in range(num_shards)
    )
    for report in run_tasks(client, tasks, window=window):
        progress.report(report)
    results = load_results(context, name, num_shards, made_from)
    info = ShardSetInfo(
        name=name,
        recipe_sha256=recipe_digest(context.recipe),
        facts=collection_facts(context.recipe),
        blend=plan.summary,
        filters=_yields(context.recipe, decided.rejections),
    )
    finish_shard_set(folder.file("shards", name), results, info=info)


def recipe_digest(recipe: Recipe) -> str:
    """Return the sha256 of the resolved recipe, without what changes no byte of the shards."""
    plain = recipe.model_copy(update={"engine": type(recipe.engine)()})
    return hashlib.sha256(dump_recipe(plain).encode()).hexdigest()


def _content_digests(context: RunContext, pool: pa.Table) -> list[str]:
    """Return the digests of all that samples are made of."""
    tables = [("matches", ""), ("fetch", "images"), ("ingest", "documents")]
    tables += [("measure", "clip")] if context.recipe.clip is not None else []
    names = sorted(pool["partition"].unique().to_pylist())
    stamps = read_stamps([context.folder.table(stage, table, name) for name in names for stage, table in tables])
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
