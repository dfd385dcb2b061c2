"""Shard sets laid out by hand: which documents of a decision stand in which shard."""

from collections.abc import Sequence

import numpy as np

from curate.blend.pool import read_pool
from pipelines.decide.decided import Decided
from pipelines.run.context import RunContext
from pipelines.run.order import Order, write_order
from pipelines.write.spool import Wave

NAME = "main"


def lay_order(context: RunContext, decided: Decided, samples: Sequence[tuple[int, str]]) -> Order:
    """Write and return the order of a set.

    Args:
        context: The run.
        decided: Whose documents are taken.
        samples: (shard, doc_id) in the order of the set.
    """
    rows = [doc_id for _, pool in decided.iterate_pool(context) for doc_id in pool["doc_id"].to_pylist()]
    drawn = [doc_id for _, doc_id in samples]
    order = Order(
        rows=np.array([rows.index(doc_id) for doc_id in drawn], np.uint32),
        repeats=np.array([drawn[:place].count(doc_id) for place, doc_id in enumerate(drawn)], np.int32),
        shards=np.array([shard for shard, _ in samples], np.int32),
        starts=read_pool(decided.iterate_pool(context)).starts,
    )
    write_order(context, NAME, order, made_from=str(samples))
    return order


def wave_of(decided: Decided, shards: range, made_from: str) -> Wave:
    """Return some shards of the set that are written at once."""
    return Wave(
        name=NAME,
        decision=decided.decision,
        shards=shards,
        made_from=made_from,
        spooled_from=f"{made_from}, {shards}",
    )
