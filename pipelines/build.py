"""The whole road from sources to shards: which stage runs when, on which partition."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.blend.plan import BlendPlan, plan_blend
from curate.contract.errors import CurateError, RecipeError
from curate.contract.reasons import Stage
from pipelines.decide.decided import load_or_decide
from pipelines.engine.cluster import Client, count_cpu_workers, count_workers, has_resource
from pipelines.engine.loop import Task, run_tasks
from pipelines.file_reading import FileReading
from pipelines.recipes.load import dump_recipe
from pipelines.road import StageSpec, counts_urls, measuring_stages
from pipelines.run.context import RunContext
from pipelines.run.folder import read_json, write_json, write_text
from pipelines.run.progress import Progress
from pipelines.stages.ingest import InputFile, input_files
from pipelines.stages.poison import set_poison_aside
from pipelines.stages.url_counts import count_urls
from pipelines.write.count_tokens import count_partition_tokens, load_token_counts, store_tokenizer
from pipelines.write.shard_set import write_shard_set


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """What a finished run knows."""

    partitions: tuple[str, ...]
    pool: pa.Table
    plan: BlendPlan


def build(client: Client, context: RunContext, progress: Progress) -> Built:
    """Run every stage; what is done already is skipped.

    Raises:
        RecipeError: The folder's images are stored under other options.
        CurateError: Partitions failed.
        BlendError: The pool cannot meet the blend.
    """
    _check_storage(context)
    write_text(context.folder.file("recipe.yaml"), dump_recipe(context.recipe))
    context = replace(context, num_fetchers=count_cpu_workers(client))
    partitions = _measure_all(client, context, progress, _window(client, context))
    write_json(context.folder.file("partitions.json"), list(partitions))
    return decide_and_write(client, context, progress, partitions)


def decide_and_write(client: Client, context: RunContext, progress: Progress, partitions: tuple[str, ...]) -> Built:
    """Decide, blend and write shards from what has been measured: no network, no GPU.

    Raises:
        CurateError: A rule was loosened so far that images are wanted which were never fetched.
        BlendError: The pool cannot meet the blend.
    """
    recipe, folder = context.recipe, context.folder
    write_text(folder.file("blend", f"{recipe.blend.name}.recipe.yaml"), dump_recipe(recipe))
    if any(counts_urls(recipe, source) for source in recipe.sources):  # the rule may be newer than the measures
        count_urls(context, partitions)
    decided = load_or_decide(context, progress, partitions)
    write_json(folder.file("last.json"), {"shard_set": None})  # verdicts are new, and nothing is made from them yet
    pool = decided.pool
    text_tokens = _count_tokens(client, context, progress, pool) if recipe.blend.tokenizer is not None else None
    plan = plan_blend(pool, recipe.blend, text_tokens=text_tokens)
    write_json(folder.file("last.json"), {"shard_set": recipe.blend.name})
    write_shard_set(client, context, progress, decided=decided, plan=plan, window=_window(client, context))
    return Built(partitions=partitions, pool=pool, plan=plan)


def _count_tokens(client: Client, context: RunContext, progress: Progress, pool: pa.Table) -> npt.NDArray[np.int64]:
    """Count tokens where they are not counted yet; return those of every pool row's text."""
    digest = store_tokenizer(context)
    names = sorted(pool["partition"].unique().to_pylist())
    progress.begin("tokens", len(names))
    tasks = (
        Task(stage=Stage.COUNT_TOKENS, partition=name, call=count_partition_tokens, args=(context, name, digest))
        for name in names
    )
    for report in run_tasks(client, tasks, window=_window(client, context)):
        progress.report(report)
    return load_token_counts(context, pool, digest)


def _measure_all(client: Client, context: RunContext, progress: Progress, window: int) -> tuple[str, ...]:
    """Bring every partition to its measures; return their names in input order."""
    recipe = context.recipe
    files = {file.name: file for file in input_files(context)}
    has_barrier = any(counts_urls(recipe, source) for source in recipe.sources)

    def hand_on(file: InputFile, partition: str) -> list[Task]:
        specs, _ = measuring_stages(recipe, file.source)
        progress.expect(len(specs))
        return [_chain(client, context, partition, specs)]

    readings = {
        name: FileReading(context, file, hand_on=partial(hand_on, file), expect=progress.expect, num_ahead=window)
        for name, file in files.items()
    }
    progress.begin("ingest, text" if has_barrier else "measure", len(files))
    for report in run_tasks(client, (reading.begin() for reading in readings.values()), window=window):
        progress.report(report)
    partitions = tuple(partition for reading in readings.values() for partition in reading.partitions)
    if has_barrier:
        count_urls(context, partitions)
        chains = [
            (partition, measuring_stages(recipe, file.source)[1])
            for name, file in files.items()
            for partition in readings[name].partitions
        ]
        progress.begin("fetch, measure", sum(len(specs) for _, specs in chains))
        tasks = (_chain(client, context, partition, specs) for partition, specs in chains)
        for report in run_tasks(client, tasks, window=window):
            progress.report(report)
    return partitions


def _chain(client: Client, context: RunContext, partition: str, specs: Sequence[StageSpec]) -> Task:
    """Return the task of the first stage; each stage's task is followed by the next one's."""
    spec, *rest = specs
    resources = {name: n for name, n in (spec.resources or {}).items() if has_resource(client, name)}
    return Task(
        stage=spec.stage,
        partition=partition,
        call=spec.call,
        args=(context, partition),
        resources=resources or None,
        then=lambda _report: [_chain(client, context, partition, rest)] if rest else [],
        on_killed=partial(_retry_without_poison, client, context, partition, specs),
    )


def _retry_without_poison(
    client: Client, context: RunContext, partition: str, specs: Sequence[StageSpec]
) -> list[Task]:
    """Set aside the documents that kill workers and run the chain again, once."""
    set_poison_aside(client, context, partition, stage=specs[0].stage, call=specs[0].call)
    return [replace(_chain(client, context, partition, specs), on_killed=None)]


def _window(client: Client, context: RunContext) -> int:
    return context.recipe.engine.window or 2 * count_workers(client) + 2


def _check_storage(context: RunContext) -> None:
    """Refuse to mix images stored under different options in one folder: stored bytes are never thrown away."""
    path = context.folder.file("fetch", "storage.json")
    fetch = context.recipe.fetch
    wanted = {"resize": fetch.resize.model_dump(mode="json") if fetch.resize is not None else None}
    stored = read_json(path)
    if stored is None:
        write_json(path, wanted)
    elif stored != wanted:
        fault = f"fetch.resize: images here are stored with {stored['resize']}; give another --out, or put it back"
        raise RecipeError((fault,))


def iterate_partitions(context: RunContext) -> Iterator[str]:
    """Yield the partitions of a finished run, in input order.

    Raises:
        CurateError: The folder holds no finished run.
    """
    names = read_json(context.folder.file("partitions.json"))
    if names is None:
        raise CurateError(f"{context.folder.root}: no finished run here; start one with `curate run`")
    yield from names
