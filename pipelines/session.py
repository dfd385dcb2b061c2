"""One run from the command line: open the folder, connect to a cluster, build, account for it, report."""

import contextlib
import fcntl
import itertools
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fsspec

from curate.contract.errors import BlendError, CurateError, RecipeError
from curate.contract.reasons import Reason
from pipelines.account import Account, account_for
from pipelines.build import Built, build, decide_and_write, iterate_partitions
from pipelines.engine.cluster import Fetchers, connect, count_gpus
from pipelines.recipes.load import load_recipe, parse_recipe
from pipelines.run.context import RunContext
from pipelines.run.folder import RunFolder, read_json
from pipelines.run.progress import Progress
from pipelines.write.blend_plan import Planned, plan_again

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


def run_recipe(recipe_path: str, options: RunOptions, **report_parts: Any) -> Finished:
    """Run a recipe to shards, ledger and report.

    Args:
        recipe_path: YAML file.
        options: Of the command line.
        report_parts: Extra parts of the report, such as ground truth.
    """
    context = open_context(recipe_path, options)
    engine = context.recipe.engine
    with _only_run(context.folder), Progress(context.folder) as progress:
        num_workers = options.workers or engine.workers or _num_cpus()
        gpus = engine.gpus if engine.gpus is not None else count_gpus()
        num_fetchers = engine.fetchers or -(-num_workers // 2)
        with connect(
            scheduler=options.scheduler,
            num_workers=num_workers,
            gpus=gpus,
            memory_limit=engine.memory_limit,
            fetchers=Fetchers(num_processes=num_fetchers, num_partitions=engine.fetch_partitions),
        ) as client:
            try:
                built = build(client, context, progress)
            except BlendError as error:
                _account_without_plan(context, error)
                raise
        account = account_for(context, built.partitions, **report_parts)
    return Finished(context=context, built=built, account=account)


def _account_without_plan(context: RunContext, error: BlendError) -> None:
    """Write the ledger and the report of a run that cannot be blended.

    Raises:
        CurateError: A source could not be read, or nothing was kept, which tells more than the blend's error.
    """
    account = account_for(context, tuple(iterate_partitions(context)), is_planned=False)
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
    partitions = tuple(iterate_partitions(context))
    with _only_run(context.folder), Progress(context.folder) as progress:
        num_workers = options.workers or _num_cpus()
        with connect(scheduler=options.scheduler, num_workers=num_workers, gpus=0, memory_limit="auto") as client:
            built = decide_and_write(client, context, progress, partitions)
        account = account_for(context, partitions)
    return Finished(context=context, built=built, account=account)


def _free_name(context: RunContext) -> str:
    """Return the recipe's name of a shard set with the first number at its end that no set of the run has."""
    filesystem, root = fsspec.url_to_fs(context.folder.file("shards"))
    numbered = (f"{context.recipe.blend.name}-{number}" for number in itertools.count(2))
    return next(name for name in numbered if not filesystem.exists(f"{root}/{name}"))


def plan_blend_again(options: RunOptions, *, compare: str | None) -> Planned:
    """Plan the blend of a finished run under the overrides, beside a written plan; see ``write.blend_plan``."""
    context = open_run(options)
    return plan_again(context, tuple(iterate_partitions(context)), compare=compare)


def report_again(options: RunOptions, **report_parts: Any) -> Account:
    """Write the ledger and the report of a finished run again.

    Args:
        options: ``out`` names the run.
        report_parts: Extra parts of the report, such as ground truth and training.
    """
    context = open_run(options)
    # Verdicts are those of the last decision, which may have been another shard set's.
    last = read_json(context.folder.file("last.json"))
    is_planned = last is None or last["shard_set"] is not None
    if last is not None and is_planned:
        context = open_run(options, recipe=f"blend/{last['shard_set']}.recipe.yaml")
    return account_for(context, tuple(iterate_partitions(context)), is_planned=is_planned, **report_parts)


def _num_cpus() -> int:
    return len(os.sched_getaffinity(0))


@contextlib.contextmanager
def _only_run(folder: RunFolder) -> Iterator[None]:
    """Hold a lock on a local run folder: two runs in one folder would race for its files."""
    if "://" in folder.root:
        yield
        return
    Path(folder.root).mkdir(parents=True, exist_ok=True)
    with Path(folder.root, ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CurateError(
                f"{folder.root}: another run is working here; wait for it or give another --out"
            ) from error
        yield
