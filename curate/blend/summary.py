"""What a blend came to, for a person and for the manifest: JSON values only, names sorted."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.blend.chunks import Integers, Rows, chunks, sum_by_group
from curate.blend.config import BlendConfig, Unit
from curate.blend.entries import BlendEntry
from curate.blend.pool import Pool

SHARE_DECIMALS = 6

Totals = npt.NDArray[np.int64]
"""By group."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Counted:
    """What there is of each group of a pool, and what a blend takes of it."""

    supply: Mapping[str, Totals]
    """By what is counted: the units, words, num_bytes."""
    drawn: Mapping[str, Totals]
    not_drawn: Totals
    """Samples that are never used."""
    most_repeats: Totals
    """Of one sample."""


def summarize(
    pool: Pool,
    entries: Sequence[BlendEntry],
    *,
    rows: Rows,
    amounts: Mapping[Unit, Integers],
    config: BlendConfig,
    total: int,
) -> dict[str, Any]:
    """Return ``{name, unit, seed, max_repeats, samples, images, tokens, num_bytes, entries, left_out, pool}``.

    ``entries`` has, by name: weight, wanted_share (mean over the run) and got_share (of the unit), drawn and supply
    (samples, images, tokens, words each), sources, not_drawn (samples never used) and most_repeats (of one sample:
    1 = used once). ``left_out`` counts by source the samples that no weight covers. ``pool`` lists what there is of
    each source and kind: samples, images, tokens, words and bytes.

    Args:
        pool: The documents.
        entries: All of them, those of weight zero too.
        rows: Pool rows of the blend, in order, with repeats.
        amounts: Of each pool row, by unit.
        config: The blend.
        total: Amount that was to be drawn, in the blend's unit.
    """
    counted = _count(pool, rows, amounts)
    covered = {group for entry in entries for group in entry.groups}
    left_out = [group for group in range(len(pool.group_names)) if group not in covered]
    got = int(counted.drawn[config.unit].sum())
    return {
        "name": config.name,
        "unit": config.unit,
        "seed": config.seed,
        "max_repeats": config.max_repeats,
        **{name: int(counted.drawn[name].sum()) for name in (*amounts, "num_bytes")},
        "entries": {
            entry.name: _entry_summary(pool, entry, counted) | _shares(entry, counted, config, got=got, total=total)
            for entry in entries
        },
        "left_out": _sum_by_source(pool, left_out, counted.supply["samples"]),
        "pool": [
            {"source": source, "kind": kind, **{name: int(sums[group]) for name, sums in counted.supply.items()}}
            for (source, kind), group in sorted(zip(pool.group_names, range(len(pool.group_names)), strict=True))
        ],
    }


def _count(pool: Pool, rows: Rows, amounts: Mapping[Unit, Integers]) -> _Counted:
    uses = np.zeros(pool.num_documents, dtype=np.uint32)
    for part in chunks(len(rows)):
        np.add.at(uses, rows[part].astype(np.intp), np.uint32(1))
    num_groups = len(pool.group_names)
    most = np.zeros(num_groups, dtype=np.int64)
    not_drawn = np.zeros(num_groups, dtype=np.int64)
    for part in chunks(len(uses)):
        groups = pool.groups[part]
        np.maximum.at(most, groups, uses[part])
        not_drawn += np.bincount(groups[uses[part] == 0], minlength=num_groups)
    columns: dict[str, Integers] = {str(unit): values for unit, values in amounts.items()}
    columns |= {"words": pool.num_words, "num_bytes": pool.num_bytes}
    return _Counted(
        supply={name: sum_by_group(pool.groups, values, num_groups) for name, values in columns.items()},
        drawn={name: sum_by_group(pool.groups, values, num_groups, times=uses) for name, values in columns.items()},
        not_drawn=not_drawn,
        most_repeats=most,
    )


def _shares(entry: BlendEntry, counted: _Counted, config: BlendConfig, *, got: int, total: int) -> dict[str, float]:
    drawn = int(counted.drawn[config.unit][list(entry.groups)].sum())
    return {
        "wanted_share": round(float(entry.curve(total).due(total) / total), SHARE_DECIMALS),
        "got_share": round(drawn / got, SHARE_DECIMALS) if got else 0.0,
    }


def _entry_summary(pool: Pool, entry: BlendEntry, counted: _Counted) -> dict[str, Any]:
    groups = list(entry.groups)
    return {
        "weight": entry.weight,
        "drawn": {name: int(sums[groups].sum()) for name, sums in counted.drawn.items() if name != "num_bytes"},
        "supply": {name: int(sums[groups].sum()) for name, sums in counted.supply.items() if name != "num_bytes"},
        "sources": _sum_by_source(pool, groups, counted.drawn["samples"]),
        "not_drawn": int(counted.not_drawn[groups].sum()),
        "most_repeats": int(counted.most_repeats[groups].max(initial=0)),
    }


def _sum_by_source(pool: Pool, groups: Iterable[int], samples: Totals) -> dict[str, int]:
    """Return the samples of each source that has any, sources sorted."""
    sums = Counter[str]()
    for group in groups:
        sums[pool.group_names[group][0]] += int(samples[group])
    return {source: sums[source] for source in sorted(sums) if sums[source]}
