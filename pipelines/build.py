"""The whole road from sources to shards: which stage runs when, on which partition."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from curate.contract.errors import RecipeError
from curate.contract.reasons import Stage
from pipelines.decide.decided import Decided
from pipelines.decide.facts_table import manifest_row
from pipelines.decide.url_counts import count_urls, counts_urls
from pipelines.engine.cluster import Client, count_fetchers, count_workers
from pipelines.engine.deaths import Death
from pipelines.engine.loop import Task, run_tasks
from pipelines.file_reading import FileReading
from pipelines.recipes.load import dump_recipe
from pipelines.road import StageSpec, measuring_stages
from pipelines.run.context import RunContext
from pipelines.run.folder import read_json, write_json, write_text
from pipelines.run.manifest import Manifest, write_manifest
from pipelines.run.progress import Progress
from pipelines.run.workers import Workers
from pipelines.stages.ingest import InputFile, input_files
from pipelines.stages.poison import set_poison_aside
from pipelines.write.blend_plan import decide_and_plan
from pipelines.write.layout import lay_out
from pipelines.write.shard_set import write_shard_set


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """What a finished run knows."""

    manifest: Manifest
    decided: Decided


def open_workers(client: Client, context: RunContext, progress: Progress) -> Workers:
    """Return the workers of a run, and how much they are given at a time."""
    window = context.recipe.engine.window or 2 * count_workers(client) + 2
    return Workers(client=client, window=window, progress=progress)


def measure(workers: Workers, context: RunContext) -> Manifest:
    """Bring every partition to its facts; what is done already is skipped.

    Raises:
        RecipeError: The folder's images are stored under other options.
        CurateError: Partitions failed.
    """
    _check_storage(context)
    write_text(context.folder.file("recipe.yaml"), dump_recipe(context.recipe))
    context = replace(context, num_fetchers=count_fetchers(workers.client))
    return _measure_all(workers, context)


def decide_and_write(workers: Workers, context: RunContext, manifest: Manifest) -> Built:
    """Decide, blend and write shards from what has been measured: no network, no GPU.

    Raises:
        CurateError: A rule was loosened so far that images are wanted which were never fetched.
        BlendError: The pool cannot meet the blend.
    """
    recipe = context.recipe
    write_text(context.folder.file("blend", f"{recipe.blend.name}.recipe.yaml"), dump_recipe(recipe))
    layout = lay_out(context, *decide_and_plan(workers, context, manifest))
    write_shard_set(workers, context, layout)
    return Built(manifest=manifest, decided=layout.decided)


def _measure_all(workers: Workers, context: RunContext) -> Manifest:
    recipe, progress = context.recipe, workers.progress
    has_barrier = any(counts_urls(recipe, source) for source in recipe.sources)
    measured: dict[str, dict[str, object]] = {}

    def run(tasks: Iterable[Task]) -> None:
        for report in run_tasks(workers.client, tasks, window=workers.window):
            progress.report(report)
            if report.stage == Stage.GATHER_FACTS:
                measured[report.partition] = manifest_row(report)

    readings = [_reading(workers, context, file) for file in input_files(context)]
    progress.begin("ingest, text" if has_barrier else "measure", len(readings))
    run(reading.begin() for reading in readings)
    partitions = tuple(partition for reading in readings for partition in reading.partitions)
    if has_barrier:
        count_urls(workers, context, partitions)
        chains = [
            (partition, measuring_stages(recipe, reading.file.source)[1])
            for reading in readings
            for partition in reading.partitions
        ]
        progress.begin("fetch, measure", sum(len(specs) for _, specs in chains))
        run(_chain(workers.client, context, partition, specs) for partition, specs in chains)
    return write_manifest(context, (measured[partition] for partition in partitions))


def _reading(workers: Workers, context: RunContext, file: InputFile) -> FileReading:
    """Return what reads a file and has its partitions go through the stages before any barrier."""
    specs, _ = measuring_stages(context.recipe, file.source)
    expect = workers.progress.expect

    def hand_on(partition: str) -> list[Task]:
        expect(len(specs))
        return [_chain(workers.client, context, partition, specs)]

    return FileReading(context, file, hand_on=hand_on, expect=expect, num_ahead=workers.window)


def _chain(client: Client, context: RunContext, partition: str, specs: Sequence[StageSpec]) -> Task:
    """Return the task of the first stage; each stage's task is followed by the next one's."""
    spec, *rest = specs
    task = Task(
        stage=spec.stage,
        partition=partition,
        call=spec.call,
        args=(context, partition),
        resources=spec.resources,
        then=lambda _report: [_chain(client, context, partition, rest)] if rest else [],
        on_killed=partial(_retry_without_poison, client, context, partition, specs),
    )
    return replace(task, gently=lambda: replace(task, args=(replace(context, is_gentle=True), partition)))


def _retry_without_poison(
    client: Client, context: RunContext, partition: str, specs: Sequence[StageSpec], death: Death
) -> list[Task]:
    """Set aside the documents that kill workers and run the chain again, once."""
    set_poison_aside(client, context, partition, stage=specs[0].stage, call=specs[0].call, death=death)
    return [replace(_chain(client, context, partition, specs), on_killed=None)]


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
