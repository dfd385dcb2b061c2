"""What a blend came to, for a person and for the manifest: JSON values only, names sorted."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.blend.amounts import Amounts
from curate.blend.config import BlendConfig, Unit
from curate.blend.entries import BlendEntry

SHARE_DECIMALS = 6


def summarize(  # noqa: PLR0913 - a summary tells of all these
    pool: pa.Table,
    entries: Sequence[BlendEntry],
    *,
    left_out: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    amounts: Mapping[Unit, Amounts],
    config: BlendConfig,
    total: int,
) -> dict[str, Any]:
    """Return ``{name, unit, seed, max_repeats, samples, images, tokens, num_bytes, entries, left_out, pool}``.

    ``entries`` has, by name: weight, wanted_share (mean over the run) and got_share (of the unit), drawn and supply
    (samples, images, tokens, words each), sources, not_drawn (samples never used) and most_repeats (of one sample:
    1 = used once). ``left_out`` counts by source the samples that no weight covers. ``pool`` lists what there is of
    each source and kind: samples, images, tokens, words and bytes.

    Args:
        pool: Schema POOL.
        entries: All of them, those of weight zero too.
        left_out: Pool rows that no weight covers.
        rows: Pool rows of the blend, in order, with repeats.
        amounts: Of each pool row, by unit.
        config: The blend.
        total: Amount that was to be drawn, in the blend's unit.
    """
    counted: dict[str, Amounts] = {str(unit): values for unit, values in amounts.items()}
    counted["words"] = pool["num_words"].to_numpy().astype(np.int64)
    uses = np.bincount(rows, minlength=pool.num_rows)
    sources = pool["source"].to_numpy(zero_copy_only=False)
    got = int(amounts[config.unit] @ uses)
    return {
        "name": config.name,
        "unit": config.unit,
        "seed": config.seed,
        "max_repeats": config.max_repeats,
        **{unit: int(values @ uses) for unit, values in amounts.items()},
        "num_bytes": int(pool["num_bytes"].to_numpy() @ uses),
        "entries": {
            entry.name: _entry_summary(entry, sources=sources, uses=uses, amounts=counted)
            | _shares(entry, int(amounts[config.unit][entry.rows] @ uses[entry.rows]), got=got, total=total)
            for entry in entries
        },
        "left_out": _count_by_source(sources[left_out]),
        "pool": _describe_pool(pool, counted),
    }


def _describe_pool(pool: pa.Table, amounts: Mapping[str, Amounts]) -> list[dict[str, Any]]:
    columns: dict[str, Any] = {**amounts, "num_bytes": pool["num_bytes"]}
    table = pool.select(["source", "kind"])
    for name, values in columns.items():
        table = table.append_column(name, pa.chunked_array([values]) if isinstance(values, np.ndarray) else values)
    sums = table.group_by(["source", "kind"], use_threads=False).aggregate([(name, "sum") for name in columns])
    rows = [
        {"source": row["source"], "kind": row["kind"], **{name: row[f"{name}_sum"] for name in columns}}
        for row in sums.to_pylist()
    ]
    return sorted(rows, key=lambda row: (row["source"], row["kind"]))


def _shares(entry: BlendEntry, drawn: int, *, got: int, total: int) -> dict[str, float]:
    return {
        "wanted_share": round(float(entry.curve(total).due(total) / total), SHARE_DECIMALS),
        "got_share": round(drawn / got, SHARE_DECIMALS) if got else 0.0,
    }


def _entry_summary(
    entry: BlendEntry,
    *,
    sources: npt.NDArray[np.object_],
    uses: npt.NDArray[np.int64],
    amounts: Mapping[str, Amounts],
) -> dict[str, Any]:
    own_uses = uses[entry.rows]
    drawn = {name: int(values[entry.rows] @ own_uses) for name, values in amounts.items()}
    return {
        "weight": entry.weight,
        "drawn": drawn,
        "supply": {name: int(values[entry.rows].sum()) for name, values in amounts.items()},
        "sources": _count_by_source(np.repeat(sources[entry.rows], own_uses)),
        "not_drawn": int((own_uses == 0).sum()),
        "most_repeats": int(own_uses.max(initial=0)),
    }


def _count_by_source(sources: npt.NDArray[np.object_]) -> dict[str, int]:
    names, counts = np.unique(sources.astype(str), return_counts=True)
    return {str(name): int(count) for name, count in zip(names, counts, strict=True)}
