"""Plan a blend of a finished run without writing anything, and lay it beside a plan that was written."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.blend.plan import plan_blend
from curate.contract.errors import CurateError
from pipelines.decide.decided import DecidedPool, decide_pool, decision_fingerprint, load_decided
from pipelines.decide.pool_arrays import as_pool
from pipelines.run.context import RunContext
from pipelines.run.folder import RunFolder, read_json
from pipelines.run.tables import MATCHES, VERDICTS, Table
from pipelines.write.count_tokens import count_partition_tokens, load_token_counts, store_tokenizer

SAMPLE_BYTES = 1040
"""Of a sample beside its text: header, padding and JSON fields, as the demo's shards have them."""
IMAGE_BYTES = 1190
"""Of an image beside its bytes: header, padding and its JSON item."""
REDECIDED = frozenset({VERDICTS, MATCHES})
"""Tables that a decision writes."""


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


@dataclass(frozen=True, slots=True)
class _ScratchFolder(RunFolder):
    """A run folder that is read, while a decision's tables go elsewhere."""

    scratch: str

    def path(self, table: Table, of: str | None = None) -> str:
        return f"{self.scratch if table in REDECIDED else self.root}/{table.path(of)}"


def plan_again(context: RunContext, partitions: Sequence[str], *, compare: str | None = None) -> Planned:
    """Plan the recipe's blend from what has been measured; nothing but token counts is stored.

    Args:
        context: A finished run, with the recipe to plan.
        partitions: Of the run, in input order.
        compare: Name of a written shard set; None: the one of the plan's own name, if there is one.

    Raises:
        BlendError: The pool cannot meet the blend.
        CurateError: There is no plan of the name ``compare``.
    """
    other_name = compare or context.recipe.blend.name
    other = read_json(context.folder.file("blend", f"{other_name}.json"))
    if other is None and compare is not None:
        raise CurateError(f"{context.folder.root}: no shard set {compare} was planned here")
    pool = _decide_aside(context, partitions).pool
    summary = plan_blend(as_pool(pool), context.recipe.blend, text_tokens=_count_tokens(context, pool)).summary
    disk_bytes = estimate_disk_bytes(summary)
    is_remote = "://" in context.folder.root
    return Planned(
        summary=summary,
        disk_bytes=disk_bytes,
        spool_bytes=min(disk_bytes, int(context.recipe.engine.spool_bytes)),
        free_bytes=None if is_remote else shutil.disk_usage(Path(context.folder.root)).free,
        other_name=other_name if other is not None else None,
        other=other,
    )


def estimate_disk_bytes(summary: dict[str, Any]) -> int:
    """Return about how many bytes a blend's tars take."""
    return int(summary["num_bytes"] + summary["samples"] * SAMPLE_BYTES + summary["images"] * IMAGE_BYTES)


def _decide_aside(context: RunContext, partitions: Sequence[str]) -> DecidedPool:
    """Return the stored decision, or decide into a temporary folder where the recipe's rules are others."""
    stored = load_decided(context, partitions, decision_fingerprint(context, partitions))
    if stored is not None:
        return stored
    with tempfile.TemporaryDirectory() as scratch:
        aside = replace(context, folder=_ScratchFolder(context.folder.root, scratch))
        return decide_pool(aside, None, partitions)


def _count_tokens(context: RunContext, pool: pa.Table) -> npt.NDArray[np.int64] | None:
    if context.recipe.blend.tokenizer is None:
        return None
    digest = store_tokenizer(context)
    for name in sorted(pool["partition"].unique().to_pylist()):
        count_partition_tokens(context, name, digest)
    return load_token_counts(context, pool, digest)
