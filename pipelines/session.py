"""One run from the command line: open the folder, connect to a cluster, build, account for it, report."""

import contextlib
import itertools
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import fsspec

from curate.contract.errors import BlendError, CurateError, RecipeError
from curate.contract.reasons import Reason
from pipelines.account import Account, Extras, account_for
from pipelines.build import Built, decide_and_write, measure, open_workers
from pipelines.engine.cluster import Fetchers, connect, count_gpus
from pipelines.recipes.load import load_recipe, parse_recipe
from pipelines.run.context import RunContext
from pipelines.run.folder import RunFolder, read_json
from pipelines.run.lock import only_run
from pipelines.run.manifest import Manifest, load_manifest
from pipelines.run.progress import Progress
from pipelines.run.workers import Workers
from pipelines.write.blend_plan import Planned, decide_run, plan_again

NAME_OVERRIDE = "blend.name="
NUM_REASONS = 5
"""Commonest ones, told where nothing is kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOptions:
    """What the command line adds to a recipe."""

    out: str
    overrides: Sequence[str] = ()
    limit: int | None = None
    workers: int | None = None
    scheduler: str | None = None
    retry_failed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """A finished run and its account."""

    context: RunContext
    built: Built
    account: Account


def open_context(recipe_path: str, options: RunOptions, *, contact: str | None = None) -> RunContext:
    """Read the recipe and return the run's context; nothing is written.

    Args:
        recipe_path: YAML file.
        options: Of the command line.
        contact: ``fetch.contact`` of a recipe that has none.

    Raises:
        RecipeError: The recipe's faults.
    """
    try:
        recipe = load_recipe(recipe_path, overrides=options.overrides)
    except RecipeError as error:
        if contact is None or not any(fault.startswith("fetch.contact: required") for fault in error.faults):
            raise
        recipe = load_recipe(recipe_path, overrides=(*options.overrides, f"fetch.contact={contact}"))
    return RunContext(
        folder=RunFolder(options.out.rstrip("/")),
        recipe=recipe,
        base=str(Path(recipe_path).resolve().parent),
        retry_failed=options.retry_failed,
        limit=options.limit,
    )


def open_run(options: RunOptions, *, recipe: str = "recipe.yaml") -> RunContext:
    """Return the context of the finished run in ``options.out``, under the overrides; nothing is written.

    Args:
        options: ``out`` names the run.
        recipe: Which of the recipes in the folder.

    Raises:
        RecipeError: There is no run, or the recipe's faults under the overrides.
    """
    root = options.out.rstrip("/")
    try:
        with fsspec.open(f"{root}/{recipe}", "r", encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError as error:
        raise RecipeError((f"{root}: no run here; start one with `curate run`",)) from error
    parsed = parse_recipe(text, overrides=options.overrides)
    return RunContext(folder=RunFolder(root), recipe=parsed, base=root)


def run_recipe(recipe_path: str, options: RunOptions) -> Finished:
    """Run a recipe to shards, ledger and report.

    Args:
        recipe_path: YAML file.
        options: Of the command line.
    """
    context = open_context(recipe_path, options)
    with only_run(context.folder), _connected(context, options, fetches=True) as workers:
        manifest = measure(workers, context)
        return _decide_write_account(workers, context, manifest)


def _decide_write_account(workers: Workers, context: RunContext, manifest: Manifest) -> Finished:
    try:
        built = decide_and_write(workers, context, manifest)
    except BlendError as error:
        _account_without_plan(workers, context, manifest, error)
        raise
    account = account_for(workers, context, built.decided)
    return Finished(context=context, built=built, account=account)


def _account_without_plan(workers: Workers, context: RunContext, manifest: Manifest, error: BlendError) -> None:
    """Write the ledger and the report of a run that cannot be blended.

    Raises:
        CurateError: A source could not be read, or nothing was kept, which tells more than the blend's error.
    """
    account = account_for(workers, context, decide_run(workers, context, manifest), is_planned=False)
    if account.unreadable_sources:
        raise CurateError(f"{account.describe_unreadable()}\nand without it: {error}") from error
    documents = account.ledger["totals"]["documents"]
    reasons = Counter({reason: n for reason, n in documents["rejected"].items() if reason != Reason.BLEND_NOT_DRAWN})
    if reasons.total() == documents["in"]:
        told = ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common(NUM_REASONS))
        raise CurateError(f"nothing was kept of {documents['in']:,} documents: {told}") from error


def blend_again(options: RunOptions) -> Finished:
    """Decide and blend a finished run again, under the overrides, into the shard set that they name, or a new one."""
    context = open_run(options)
    if not any(override.startswith(NAME_OVERRIDE) for override in options.overrides):
        free = f"{NAME_OVERRIDE}{_free_name(context)}"
        context = open_run(replace(options, overrides=(*options.overrides, free)))
    manifest = load_manifest(context)
    with only_run(context.folder), _connected(context, options) as workers:
        return _decide_write_account(workers, context, manifest)


def _free_name(context: RunContext) -> str:
    """Return the recipe's name of a shard set with the first number at its end that no set of the run has."""
    filesystem, root = fsspec.url_to_fs(context.folder.file("shards"))
    numbered = (f"{context.recipe.blend.name}-{number}" for number in itertools.count(2))
    return next(name for name in numbered if not filesystem.exists(f"{root}/{name}"))


def plan_blend_again(options: RunOptions, *, compare: str | None) -> Planned:
    """Plan the blend of a finished run under the overrides, beside a written plan; see ``write.blend_plan``."""
    context = open_run(options)
    manifest = load_manifest(context)
    with only_run(context.folder), _connected(context, options) as workers:
        return plan_again(workers, context, manifest, compare=compare)


def report_again(options: RunOptions, *, name: str | None = None, extras: Extras | None = None) -> Account:
    """Write the ledger and the report of a shard set again.

    Args:
        options: ``out`` names the run.
        name: Of the shard set; None: the one that the run's ledger is of.
        extras: Of the report, such as ground truth and training.

    Raises:
        CurateError: The run is not finished, or there is no such set.
    """
    context = open_run(options)
    manifest = load_manifest(context)
    last = read_json(context.folder.file("ledger.json"))
    wanted = name or (last or {}).get("shard_set") or context.recipe.blend.name
    is_planned = name is not None or last is None or last["shard_set"] is not None
    if is_planned:
        if read_json(context.folder.file("blend", f"{wanted}.json")) is None:
            raise CurateError(f"{context.folder.root}: no shard set {wanted} here")
        context = open_run(options, recipe=f"blend/{wanted}.recipe.yaml")
    with only_run(context.folder), _connected(context, options) as workers:
        decided = decide_run(workers, context, manifest)
        return account_for(workers, context, decided, is_planned=is_planned, extras=extras)


@contextlib.contextmanager
def _connected(context: RunContext, options: RunOptions, *, fetches: bool = False) -> Iterator[Workers]:
    """Yield the workers of a command, its progress shown; those of one that fetches have fetchers and GPUs, too."""
    engine = context.recipe.engine
    num_workers = options.workers or engine.workers or _num_cpus()
    num_fetchers = engine.fetchers or -(-num_workers // 2)
    fetchers = Fetchers(num_processes=num_fetchers, num_partitions=engine.fetch_partitions) if fetches else None
    gpus = 0 if not fetches else engine.gpus if engine.gpus is not None else count_gpus()
    with (
        Progress(context.folder) as progress,
        connect(
            scheduler=options.scheduler,
            num_workers=num_workers,
            gpus=gpus,
            memory_limit=engine.memory_limit,
            fetchers=fetchers,
        ) as client,
    ):
        yield open_workers(client, context, progress)


def _num_cpus() -> int:
    return len(os.sched_getaffinity(0))
