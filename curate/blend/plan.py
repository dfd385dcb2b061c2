"""Plans a blend: pool and weights in, the exact order of samples out.

No bytes are read, and a million samples take about two seconds. The order is a pure function of the pool's
documents, the weights, the unit and the seed. How far any prefix may be off its due shares is proved in
``curate.blend.schedule``; how samples of one entry follow each other is in ``curate.blend.queues``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from curate.blend.amounts import measure_amounts
from curate.blend.config import BlendConfig
from curate.blend.entries import Entry, resolve_entries
from curate.blend.queues import Queue, build_queue, hash_doc_ids
from curate.blend.schedule import schedule_turns, worst_deviations
from curate.blend.summary import summarize
from curate.contract.errors import BlendError
from curate.contract.schemas import POOL, check_schema

ORDER = pa.schema(
    [
        pa.field("pool_row", pa.int64(), nullable=False),  # of the pool that was planned
        pa.field("repeat", pa.int32(), nullable=False),  # 0 for a sample's first use, then 1, 2, ...
    ]
)


@dataclass(frozen=True, kw_only=True, slots=True)
class BlendPlan:
    """What to write, in order, and what a person needs to know of it."""

    order: pa.Table
    """Schema ORDER."""
    summary: dict[str, Any]
    """JSON values: those of ``curate.blend.summary``, ``total`` (wanted, largest, and the binding entry) and
    ``worst_deviation`` (per entry, how far any prefix is off its due, in the unit)."""


def plan_blend(pool: pa.Table, config: BlendConfig) -> BlendPlan:
    """Return the order of a blend.

    For every prefix the amount of each entry, in ``config.unit``, differs from its due share by less than one sample
    (samples) or by at most the largest sample (images, tokens). The blend ends with the sample that reaches the
    total, so it exceeds it by less than one sample. Samples of size zero, such as texts under unit images, are
    free: they come where their entry's order has them.

    Args:
        pool: Schema POOL: every document that may be used, once; their listing order does not matter.
        config: The blend.

    Raises:
        BlendError: An empty pool, a weight that names nothing in it or something without any of the unit, or a total
            beyond what weights and ``max_repeats`` allow (the message says how much they do, and what binds).
    """
    check_schema(pool, POOL, where="blend pool")
    amounts = measure_amounts(pool, config)
    sizes = amounts[config.unit]
    if not sizes.sum():
        raise BlendError(f"the pool of {pool.num_rows} documents has no {config.unit} to blend")
    entries, left_out = resolve_entries(pool, config.weights or _natural_weights(pool, sizes))
    active = [entry for entry in entries if entry.share]
    largest, binding = _largest_total(active, sizes, config)
    total = _check_total(config, largest=largest, binding=binding)
    queues = _build_queues(pool, active, sizes, config=config, total=total)
    turns = schedule_turns(
        [queue.sizes for queue in queues],
        [entry.share for entry in active],
        total=total,
        equal_sizes=config.unit == "samples",
    )
    rows, repeats = np.empty(len(turns), dtype=np.int64), np.empty(len(turns), dtype=np.int32)
    for number, queue in enumerate(queues):
        mine = turns == number
        rows[mine], repeats[mine] = queue.rows[: mine.sum()], queue.repeats[: mine.sum()]
    summary = summarize(pool, entries, left_out=left_out, rows=rows, amounts=amounts, config=config)
    summary["total"] = {"wanted": config.total, "largest": largest, "binding": binding.name}
    worst = worst_deviations(turns, sizes[rows], [entry.share for entry in active])
    summary["worst_deviation"] = {entry.name: round(value, 3) for entry, value in zip(active, worst, strict=True)}
    return BlendPlan(order=pa.table([rows, repeats], schema=ORDER), summary=summary)


def _natural_weights(pool: pa.Table, sizes: np.ndarray) -> dict[str, float]:
    kinds = pool["kind"].to_numpy(zero_copy_only=False)
    return {kind: int(sizes[kinds == kind].sum()) for kind in sorted(set(kinds))}


def _largest_total(entries: Sequence[Entry], sizes: np.ndarray, config: BlendConfig) -> tuple[int, Entry]:
    """Return the largest whole total that every entry can pay its share of, and the entry that stops there."""
    limits = []
    for entry in entries:
        supply = int(sizes[entry.rows].sum()) * config.max_repeats
        if supply == 0:
            raise BlendError(
                f"blend.weights.{entry.name}: weight {entry.weight} but no {config.unit} in its {len(entry.rows)} "
                "documents; set the weight to 0 or blend by another unit"
            )
        limits.append(supply / entry.share)
    binding = min(range(len(entries)), key=limits.__getitem__)
    return int(limits[binding]), entries[binding]


def _check_total(config: BlendConfig, *, largest: int, binding: Entry) -> int:
    if config.total is None:
        return largest
    if config.total > largest:
        raise BlendError(
            f"blend.total: {config.total:,} {config.unit} wanted, but these weights and max_repeats "
            f"{config.max_repeats} allow at most {largest:,}: {binding.name} runs out first; lower the total or its "
            "weight, raise max_repeats, or add documents"
        )
    return config.total


def _build_queues(
    pool: pa.Table, entries: Sequence[Entry], sizes: np.ndarray, *, config: BlendConfig, total: int
) -> list[Queue]:
    slack = int(sizes.max())  # an entry may be ahead of its due by the largest sample
    queues = []
    for entry in entries:
        hashes = hash_doc_ids(pool["doc_id"].take(entry.rows).to_pylist())
        amount = int(entry.share * total) + slack + 1
        queues.append(
            build_queue(
                entry.rows,
                sizes[entry.rows],
                hashes,
                seed=config.seed,
                amount=amount,
                max_repeats=config.max_repeats,
            )
        )
    return queues
