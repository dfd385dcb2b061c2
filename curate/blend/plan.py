"""Plans a blend: pool and weights in, the exact order of samples out.

No bytes are read. A million samples take about a second, and beside the pool's 30 bytes a document a plan needs some 25
a sample. The order is a pure function of the pool's documents, the weights, the unit and the seed. How far any prefix
may be off its due shares is proved in ``curate.blend.schedule``; how samples of one entry follow each other is in
``curate.blend.queues``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.blend.amounts import measure_amounts
from curate.blend.chunks import Integers, Rows, chunks, sum_by_group, take
from curate.blend.config import BlendConfig
from curate.blend.covering import Group
from curate.blend.entries import BlendEntry, resolve_entries, rows_by_entry
from curate.blend.pool import Pool
from curate.blend.queues import Queue, build_queue
from curate.blend.schedule import Turns, schedule_turns, worst_deviations
from curate.blend.summary import summarize
from curate.blend.weights import Weight, exact_fraction
from curate.contract.errors import BlendError

Repeats = npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class BlendPlan:
    """What to write, in order, and what a person needs to know of it."""

    rows: Rows
    """Pool row of each sample, [S]."""
    repeats: Repeats
    """0 for a sample's first use, then 1, 2, ...; [S]."""
    summary: dict[str, Any]
    """JSON values: those of ``curate.blend.summary``, ``total`` (wanted, largest, and the binding entry) and
    ``worst_deviation`` (per entry, how far any prefix is off its due, in the unit)."""


def plan_blend(pool: Pool, config: BlendConfig, *, text_tokens: Integers | None = None) -> BlendPlan:
    """Return the order of a blend.

    For every prefix the amount of each entry, in ``config.unit``, differs from what is due to it by less than one
    sample (samples) or by at most the largest sample (images, tokens). The blend ends with the sample that reaches the
    total, so it exceeds it by less than one sample. Samples of size zero, such as texts under unit images, are
    free: they come where their entry's order has them.

    Args:
        pool: Every document that may be used, once; their listing order does not matter.
        config: The blend.
        text_tokens: Tokens of each document's text, [N]; None: estimated.

    Raises:
        BlendError: An empty pool, a document listed twice, a weight that names nothing in the pool or something
            without any of the unit, or a total beyond what weights and ``max_repeats`` allow (the message says how
            much they do, and what binds).
    """
    amounts = measure_amounts(pool, config, text_tokens=text_tokens)
    sizes = amounts[config.unit]
    supply = sum_by_group(pool.groups, sizes, len(pool.group_names))
    if not supply.any():
        raise BlendError(f"the pool of {pool.num_documents} documents has no {config.unit} to blend")
    entries = resolve_entries(pool.group_names, config.weights or _natural_weights(pool.group_names, supply))
    active = [entry for entry in entries if any(entry.shares)]
    supplies = [_supply(pool, entry, supply, config) for entry in active]
    largest, binding = find_largest_total(active, [supply * config.max_repeats for supply in supplies])
    total = _choose_total(config, supply=sum(supplies), largest=largest, binding=binding)
    turns, rows, repeats = _order(pool, active, sizes, config=config, total=total)
    summary = summarize(pool, entries, rows=rows, amounts=amounts, config=config, total=total)
    estimate = f"estimate, {config.chars_per_token:g} characters each"
    summary["tokens_by"] = config.tokenizer if text_tokens is not None else estimate
    is_limited = config.total is not None or config.epochs is not None
    summary["total"] = {"wanted": total if is_limited else None, "largest": largest, "binding": binding.name}
    worst = worst_deviations(turns, take(sizes, rows), [entry.curve(total) for entry in active])
    summary["worst_deviation"] = {entry.name: round(value, 3) for entry, value in zip(active, worst, strict=True)}
    return BlendPlan(rows=rows, repeats=repeats, summary=summary)


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


def _natural_weights(group_names: Sequence[Group], supply: Integers) -> dict[str, Weight]:
    kinds = sorted({kind for _, kind in group_names})
    return {
        kind: int(sum(own for own, (_, its_kind) in zip(supply.tolist(), group_names, strict=True) if its_kind == kind))
        for kind in kinds
    }


def _supply(pool: Pool, entry: BlendEntry, by_group: Integers, config: BlendConfig) -> int:
    supply = int(by_group[list(entry.groups)].sum())
    if supply == 0:
        num_documents = int(np.isin(pool.groups, entry.groups).sum())
        raise BlendError(
            f"blend.weights.{entry.name}: weight {entry.weight} but no {config.unit} in its {num_documents} "
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


def _order(
    pool: Pool, entries: Sequence[BlendEntry], sizes: Integers, *, config: BlendConfig, total: int
) -> tuple[Turns, Rows, Repeats]:
    """Return the entry, the pool row and the number of the pass of each sample."""
    curves = [entry.curve(total) for entry in entries]
    slack = int(sizes.max())  # an entry may be ahead of its due by the largest sample
    queues = [
        build_queue(
            rows,
            sizes,
            pool.hashes,
            seed=config.seed,
            amount=int(curve.due(total)) + slack + 1,
            max_repeats=config.max_repeats,
        )
        for rows, curve in zip(rows_by_entry(pool, entries), curves, strict=True)
    ]
    turns = schedule_turns([queue.sizes for queue in queues], curves, total=total, equal_sizes=config.unit == "samples")
    return turns, *_deal(turns, queues)


def _deal(turns: Turns, queues: Sequence[Queue]) -> tuple[Rows, Repeats]:
    """Return pool row and number of the pass of each sample: every entry hands out its queue in order."""
    rows, repeats = np.empty(len(turns), dtype=np.uint32), np.empty(len(turns), dtype=np.int32)
    starts = np.zeros(len(queues), dtype=np.int64)
    for part in chunks(len(turns)):
        places = part.start + np.argsort(turns[part], kind="stable")
        stops = starts + np.bincount(turns[part], minlength=len(queues))
        hands = [
            (queues[entry], int(starts[entry]), int(stops[entry])) for entry in np.flatnonzero(stops > starts).tolist()
        ]
        rows[places] = np.concatenate([queue.rows[start:stop] for queue, start, stop in hands])
        repeats[places] = np.concatenate([queue.repeats(start, stop) for queue, start, stop in hands])
        starts = stops
    return rows, repeats
