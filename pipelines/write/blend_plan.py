"""Decide a measured run and plan its blend; a plan alone can be laid beside one that was written."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.blend.plan import BlendPlan, plan_blend
from curate.blend.pool import Pool, read_pool
from curate.contract.errors import CurateError
from pipelines.decide.decided import Decided, load_or_decide
from pipelines.decide.url_counts import count_urls, counts_urls
from pipelines.run.context import RunContext
from pipelines.run.folder import read_json
from pipelines.run.manifest import Manifest
from pipelines.run.workers import Workers
from pipelines.write.count_tokens import count_pool_tokens

SAMPLE_BYTES = 1040
"""Of a sample beside its text: header, padding and JSON fields, as the demo's shards have them."""
IMAGE_BYTES = 1190
"""Of an image beside its bytes: header, padding and its JSON item."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """A plan, and what it is laid beside."""

    summary: dict[str, Any]
    """Of ``curate.blend.plan``."""
    disk_bytes: int
    """About what the shards will take."""
    spool_bytes: int
    """At most what lies beside them while they are written."""
    free_bytes: int | None
    """On the disk of the run folder; None for remote ones."""
    other_name: str | None
    other: dict[str, Any] | None
    """Summary of a written plan."""


def plan_again(workers: Workers, context: RunContext, manifest: Manifest, *, compare: str | None = None) -> Planned:
    """Plan the recipe's blend from what has been measured; a decision and token counts are stored, but no set.

    Args:
        workers: Of the run.
        context: A finished run, with the recipe to plan.
        manifest: Of the run.
        compare: Name of a written shard set; None: the one of the plan's own name, if there is one.

    Raises:
        BlendError: The pool cannot meet the blend.
        CurateError: There is no plan of the name ``compare``.
    """
    other_name = compare or context.recipe.blend.name
    other = read_json(context.folder.file("blend", f"{other_name}.json"))
    if other is None and compare is not None:
        raise CurateError(f"{context.folder.root}: no shard set {compare} was planned here")
    _, _, plan = decide_and_plan(workers, context, manifest)
    disk_bytes = estimate_disk_bytes(plan.summary)
    is_remote = "://" in context.folder.root
    return Planned(
        summary=plan.summary,
        disk_bytes=disk_bytes,
        spool_bytes=min(disk_bytes, int(context.recipe.engine.spool_bytes)),
        free_bytes=None if is_remote else shutil.disk_usage(Path(context.folder.root)).free,
        other_name=other_name if other is not None else None,
        other=other,
    )


def decide_and_plan(workers: Workers, context: RunContext, manifest: Manifest) -> tuple[Decided, Pool, BlendPlan]:
    """Return the decision of a recipe, the pool that it leaves, and the blend of that.

    Args:
        workers: Of the run.
        context: The run, with the recipe.
        manifest: Of the run.

    Raises:
        CurateError: A rule was loosened so far that images are wanted which were never fetched.
        BlendError: The pool cannot meet the blend.
    """
    decided = decide_run(workers, context, manifest)
    tokens = count_pool_tokens(workers, context, decided) if context.recipe.blend.tokenizer is not None else None
    pool = read_pool(decided.iterate_pool(context))
    return decided, pool, plan_blend(pool, context.recipe.blend, text_tokens=tokens)


def decide_run(workers: Workers, context: RunContext, manifest: Manifest) -> Decided:
    """Return the decision of a recipe: the stored one, or a new one; URLs are counted first where a rule asks.

    Raises:
        CurateError: A rule was loosened so far that images are wanted which were never fetched.
    """
    recipe = context.recipe
    asks = any(counts_urls(recipe, source) for source in recipe.sources)  # the rule may be newer than the measures
    url_counts = count_urls(workers, context, manifest.partitions) if asks else ""
    return load_or_decide(workers, context, manifest, url_counts=url_counts)


def estimate_disk_bytes(summary: dict[str, Any]) -> int:
    """Return about how many bytes a blend's tars take."""
    return int(summary["num_bytes"] + summary["samples"] * SAMPLE_BYTES + summary["images"] * IMAGE_BYTES)
