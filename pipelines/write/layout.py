"""Lays out a planned blend: cuts its order into shards, and writes down what each takes of which partition."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.blend.plan import BlendPlan
from curate.blend.pool import Pool
from pipelines.decide.decided import Decided
from pipelines.run.context import RunContext, stage_fingerprint
from pipelines.run.folder import write_json
from pipelines.run.order import Order, write_order
from shards.config import ShardsConfig
from shards.cut import cut_shards

Ints = npt.NDArray[np.integer]

VERSION = 3
"""Of what is written; another one writes every shard anew."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Layout:
    """K shards that are to be written; pool and plan, which grow with the corpus, are needed no longer."""

    decided: Decided
    """That the set is made from."""
    summary: dict[str, Any]
    """Of its plan."""
    made_from: str
    """Fingerprint of each shard: of order and content."""
    num_bytes: tuple[int, ...]
    """Of the samples of each shard, [K]."""
    partitions: tuple[Ints, ...]
    """Numbers of those that each shard takes samples of, rising; K of them."""


def lay_out(context: RunContext, decided: Decided, pool: Pool, plan: BlendPlan) -> Layout:
    """Write a set's plan and what it takes of each partition.

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
    edges = np.searchsorted(shards, np.arange(int(shards[-1]) + 2 if len(shards) else 1))
    rows_by_shard = [plan.rows[start:stop] for start, stop in pairwise(edges.tolist())]
    return Layout(
        decided=decided,
        summary=plan.summary,
        made_from=stage_fingerprint("shards", VERSION, options, inputs),
        num_bytes=tuple(int(pool.num_bytes[rows].sum()) for rows in rows_by_shard),
        partitions=tuple(_partitions(pool, rows) for rows in rows_by_shard),
    )


def cut_order(rows: Ints, pool: Pool, config: ShardsConfig) -> Ints:
    """Return the shard of every sample, [S].

    Args:
        rows: [S] of the pool, in order.
        pool: Every document that may be used.
        config: Most samples and bytes of a shard.
    """
    cuts = cut_shards(pool.num_bytes, max_bytes=int(config.bytes), max_samples=config.samples, rows=rows)
    return np.repeat(np.arange(len(cuts), dtype=np.int32), [len(places) for places in cuts])


def _partitions(pool: Pool, rows: Ints) -> Ints:
    return np.unique(np.searchsorted(pool.starts, rows, side="right") - 1).astype(np.int32)
