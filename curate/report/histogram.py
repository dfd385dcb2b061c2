"""Histograms that fold partition by partition: fixed fine bins while counting, few readable ones at the end."""

from collections import Counter
from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.report.data import Bin, Histogram

BoolArray = npt.NDArray[np.bool_]

SIZE_EDGES_PX = (0, 32, 64, 100, 150, 200, 300, 400, 600, 800, 1200, 1600, 2400, 4000)
WORD_EDGES = (0, 1, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)

_SIM_STEP = 0.005
_NUM_SIM_BINS = 400  # cosines from -1 to 1
_MAX_SHOWN_BINS = 40
_MAX_NAMES = 10


class SimilarityCounter:
    """Counts cosines of kept and of rejected images."""

    def __init__(self) -> None:
        self._counts = np.zeros((2, _NUM_SIM_BINS), dtype=np.int64)

    def add(self, values: npt.NDArray[np.float64], kept: BoolArray) -> None:
        """Count finite ``values`` (cosines, [N]); ``kept`` bool [N]."""
        # The small shift puts a float16 that stands for an edge, such as 0.1499 for 0.15, on the right side of it.
        bins = np.floor((values + 1.0 + 2e-4) / _SIM_STEP)
        bins = np.clip(bins, 0, _NUM_SIM_BINS - 1).astype(np.int64)
        for row, mask in enumerate((kept, ~kept)):
            self._counts[row] += np.bincount(bins[mask], minlength=_NUM_SIM_BINS)

    def merge(self, other: Self) -> None:
        """Add the counts of other things."""
        self._counts += other._counts

    def finish(self, *, threshold: float | None) -> Histogram:
        """Return the occupied range, and the threshold where it is known, in at most about 40 bins."""
        used = np.flatnonzero(self._counts.sum(axis=0))
        title, unit = "Image-text similarity", "cosine to the closest sentence"
        if not len(used):
            return Histogram(title=title, unit=unit, bins=())
        first, last = int(used[0]), int(used[-1])
        at = None if threshold is None else (threshold + 1.0) / _SIM_STEP
        if at is not None:
            first, last = min(first, int(at)), max(last, int(at))
        width = next((w for w in (2, 4, 10, 20) if (last - first) / w < _MAX_SHOWN_BINS - 1), 20)
        first -= first % width
        edges = range(first, last + 1, width)
        bins = [
            Bin(label=f"{i * _SIM_STEP - 1.0:.2f}", kept=int(kept), rejected=int(rejected))
            for i in edges
            for kept, rejected in [self._counts[:, i : i + width].sum(axis=1)]
        ]
        return Histogram(
            title=title,
            unit=unit,
            bins=tuple(bins),
            threshold=None if at is None else (at - first) / width,
            threshold_label="" if threshold is None else f"threshold {threshold:.2f}",
        )


class EdgeCounter:
    """Counts whole numbers of kept and rejected things between given edges; the last bin is open."""

    def __init__(self, edges: Sequence[int]) -> None:
        self._edges = np.array(edges, dtype=np.int64)
        self._counts = np.zeros((2, len(edges)), dtype=np.int64)

    def add(self, values: npt.NDArray[np.int64], kept: BoolArray) -> None:
        """Count ``values`` (at least the first edge, [N]); ``kept`` bool [N]."""
        bins = np.clip(np.searchsorted(self._edges, values, side="right") - 1, 0, None)
        for row, mask in enumerate((kept, ~kept)):
            self._counts[row] += np.bincount(bins[mask], minlength=len(self._edges))

    def merge(self, other: Self) -> None:
        """Add the counts of other things."""
        self._counts += other._counts

    def finish(self, *, title: str, unit: str) -> Histogram:
        """Return the occupied range."""
        used = np.flatnonzero(self._counts.sum(axis=0))
        shown = range(int(used[0]), int(used[-1]) + 1) if len(used) else range(0)
        labels = [f"{edge:,}" for edge in self._edges]
        bins = [Bin(label=labels[i], kept=int(self._counts[0, i]), rejected=int(self._counts[1, i])) for i in shown]
        return Histogram(title=title, unit=unit, bins=tuple(bins))


class NameCounter:
    """Counts names, such as languages, of kept and rejected things."""

    def __init__(self) -> None:
        self._counts: tuple[Counter[str], Counter[str]] = (Counter(), Counter())

    def add(self, names: pa.Array, kept: BoolArray) -> None:
        """Count ``names`` (string [N], null = unknown); ``kept`` bool [N]."""
        for counter, mask in zip(self._counts, (kept, ~kept), strict=True):
            for row in names.filter(pa.array(mask)).value_counts().to_pylist():
                counter[row["values"] or "unknown"] += row["counts"]

    def merge(self, other: Self) -> None:
        """Add the counts of other things."""
        for own, others in zip(self._counts, other._counts, strict=True):
            own.update(others)

    def finish(self, *, title: str, unit: str) -> Histogram:
        """Return the ten most frequent names and, as one bin, the others."""
        kept, rejected = self._counts
        names = sorted(kept.keys() | rejected.keys(), key=lambda name: (-kept[name] - rejected[name], name))
        bins = [Bin(label=name, kept=kept[name], rejected=rejected[name]) for name in names[:_MAX_NAMES]]
        if rest := names[_MAX_NAMES:]:
            label = f"{len(rest)} others"
            bins.append(Bin(label=label, kept=sum(kept[n] for n in rest), rejected=sum(rejected[n] for n in rest)))
        return Histogram(title=title, unit=unit, bins=tuple(bins), horizontal=True)
