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

from curate.blend.amounts import Amounts, measure_amounts
from curate.blend.config import BlendConfig
from curate.blend.entries import BlendEntry, resolve_entries
from curate.blend.queues import Queue, build_queue, hash_doc_ids
from curate.blend.schedule import schedule_turns, worst_deviations
from curate.blend.summary import summarize
from curate.blend.weights import Weight, exact_fraction
from curate.contract.errors import BlendError
from curate.contract.schemas import POOL, check_schema

POOL_ORDER = pa.schema(
    [
        pa.field("pool_row", pa.int64(), nullable=False),  # of the pool that was planned
        pa.field("repeat", pa.int32(), nullable=False),  # 0 for a sample's first use, then 1, 2, ...
    ]
)


@dataclass(frozen=True, kw_only=True, slots=True)
class BlendPlan:
    """What to write, in order, and what a person needs to know of it."""

    order: pa.Table
    """Schema POOL_ORDER."""
    summary: dict[str, Any]
    """JSON values: those of ``curate.blend.summary``, ``total`` (wanted, largest, and the binding entry) and
    ``worst_deviation`` (per entry, how far any prefix is off its due, in the unit)."""


def plan_blend(pool: pa.Table, config: BlendConfig, *, text_tokens: Amounts | None = None) -> BlendPlan:
    """Return the order of a blend.

    For every prefix the amount of each entry, in ``config.unit``, differs from what is due to it by less than one
    sample (samples) or by at most the largest sample (images, tokens). The blend ends with the sample that reaches the
    total, so it exceeds it by less than one sample. Samples of size zero, such as texts under unit images, are
    free: they come where their entry's order has them.

    Args:
        pool: Schema POOL: every document that may be used, once; their listing order does not matter.
        config: The blend.
        text_tokens: Tokens of each document's text, int64 [N]; None: estimated.

    Raises:
        BlendError: An empty pool, a weight that names nothing in it or something without any of the unit, or a total
            beyond what weights and ``max_repeats`` allow (the message says how much they do, and what binds).
    """
    check_schema(pool, POOL, where="blend pool")
    amounts = measure_amounts(pool, config, text_tokens=text_tokens)
    sizes = amounts[config.unit]
    if not sizes.sum():
        raise BlendError(f"the pool of {pool.num_rows} documents has no {config.unit} to blend")
    entries, left_out = resolve_entries(pool, config.weights or _natural_weights(pool, sizes))
    active = [entry for entry in entries if any(entry.shares)]
    supplies = [_supply(entry, sizes, config) for entry in active]
    largest, binding = find_largest_total(active, [supply * config.max_repeats for supply in supplies])
    total = _choose_total(config, supply=sum(supplies), largest=largest, binding=binding)
    curves = [entry.curve(total) for entry in active]
    dues = [int(curve.due(total)) for curve in curves]
    queues = _build_queues(pool, active, sizes, config=config, dues=dues)
    turns = schedule_turns([queue.sizes for queue in queues], curves, total=total, equal_sizes=config.unit == "samples")
    rows, repeats = _deal(turns, queues)
    summary = summarize(pool, entries, left_out=left_out, rows=rows, amounts=amounts, config=config, total=total)
    estimate = f"estimate, {config.chars_per_token:g} characters each"
    summary["tokens_by"] = config.tokenizer if text_tokens is not None else estimate
    is_limited = config.total is not None or config.epochs is not None
    summary["total"] = {"wanted": total if is_limited else None, "largest": largest, "binding": binding.name}
    worst = worst_deviations(turns, sizes[rows], curves)
    summary["worst_deviation"] = {entry.name: round(value, 3) for entry, value in zip(active, worst, strict=True)}
    return BlendPlan(order=pa.table([rows, repeats], schema=POOL_ORDER), summary=summary)


def find_largest_total(entries: Sequence[BlendEntry], supplies: Sequence[int]) -> tuple[int, BlendEntry]:
    """Return the largest whole total at which every entry can pay what is due, and the entry that stops there.

    What is due at the end of a run never falls as the run gets longer, so each entry's limit is found by bisection.

    Args:
        entries: Those with a share above zero somewhere.
        supplies: Amount that may be drawn of each, repeats included.
    """
    limits = []
    for entry, supply in zip(entries, supplies, strict=True):
        fits, too_much = 0, sum(supplies) + 1
        while too_much - fits > 1:
            middle = (fits + too_much) // 2
            fits, too_much = (middle, too_much) if entry.curve(middle).due(middle) <= supply else (fits, middle)
        limits.append(fits)
    binding = min(range(len(entries)), key=limits.__getitem__)
    return limits[binding], entries[binding]


def _natural_weights(pool: pa.Table, sizes: Amounts) -> dict[str, Weight]:
    kinds = pool["kind"].to_numpy(zero_copy_only=False)
    return {kind: int(sizes[kinds == kind].sum()) for kind in sorted(set(kinds))}


def _supply(entry: BlendEntry, sizes: Amounts, config: BlendConfig) -> int:
    supply = int(sizes[entry.rows].sum())
    if supply == 0:
        raise BlendError(
            f"blend.weights.{entry.name}: weight {entry.weight} but no {config.unit} in its {len(entry.rows)} "
            "documents; set the weight to 0 or blend by another unit"
        )
    return supply


def _choose_total(config: BlendConfig, *, supply: int, largest: int, binding: BlendEntry) -> int:
    """Return the total that the recipe asks for, in units."""
    if config.epochs is not None:
        wanted = max(1, round(exact_fraction(config.epochs) * supply))
    else:
        wanted = config.total or largest
    if wanted > largest:
        key = "total" if config.epochs is None else "epochs"
        raise BlendError(
            f"blend.{key}: {wanted:,} {config.unit} wanted, but these weights and max_repeats "
            f"{config.max_repeats} allow at most {largest:,}: {binding.name} runs out first; lower {key} or its "
            "weight, raise max_repeats, or add documents"
        )
    if wanted == 0:
        raise BlendError(f"blend.weights: {binding.name} has too little for its weight; lower it, or raise max_repeats")
    return wanted


def _build_queues(
    pool: pa.Table, entries: Sequence[BlendEntry], sizes: Amounts, *, config: BlendConfig, dues: Sequence[int]
) -> list[Queue]:
    slack = int(sizes.max())  # an entry may be ahead of its due by the largest sample
    return [
        build_queue(
            entry.rows,
            sizes[entry.rows],
            hash_doc_ids(pool["doc_id"].take(entry.rows).to_pylist()),
            seed=config.seed,
            amount=due + slack + 1,
            max_repeats=config.max_repeats,
        )
        for entry, due in zip(entries, dues, strict=True)
    ]


def _deal(turns: Amounts, queues: Sequence[Queue]) -> tuple[Amounts, np.ndarray]:
    """Return pool row and number of the pass of each sample: every entry hands out its queue in order."""
    rows, repeats = np.empty(len(turns), dtype=np.int64), np.empty(len(turns), dtype=np.int32)
    for number, queue in enumerate(queues):
        mine = turns == number
        rows[mine], repeats[mine] = queue.rows[: mine.sum()], queue.repeats[: mine.sum()]
    return rows, repeats
