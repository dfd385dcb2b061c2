"""The order in which entries take turns, with a bound that holds for every prefix.

Each entry i has a due share p_i, and a queue of samples with sizes; V is the amount emitted so far. A sample of entry i
that follows an amount A of its own has a *release*, before which emitting it would put i ahead of its due, and a
*deadline*, after which i would be behind. Among released samples the one with the earliest deadline goes next. Ties go
to the entry listed first.

**Sizes that differ (images, tokens).** Release A / p_i, deadline (A + size) / p_i. This is the packet scheduler WF2Q
(Bennett and Zhang 1996, INFOCOM) with queues that never empty. With L the largest size, for every prefix
``-L < p_i * V - A_i <= L``:

- Some entry has A_i <= p_i V since the A_i add up to V, so there is always a released sample.
- Ahead: a sample starts with A_i <= p_i V, so after it A_i - p_i V <= size - p_i size < L.
- Behind: take a sample x of entry i with deadline D that ends at V = E. Let q be the last sample before x with a later
  deadline than D, started at V = t. When q was chosen no sample with a deadline up to D had been released, so all that
  follow until x were released after t and are due by D; per entry they lie one after another in (t, D], which makes at
  most p_j (D - t), together at most D - t. So E <= t + L + (D - t) = D + L (without such a q, E <= D). Until x starts,
  at V <= D + L - size, i lacks p_i V - A_i <= size + p_i (L - size) <= L.

**Equal sizes (samples).** Tijdeman's solution of the chairman assignment problem (1980, Discrete Mathematics 32) moves
both limits by d = 1 / (2 k - 2) for k entries: release (A + d) / p_i - 1, deadline (A + 1 - d) / p_i. It keeps
``|p_i n - A_i| <= 1 - d`` for every prefix of n, and no rule does better for all shares.
"""

import heapq
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def schedule_turns(sizes: Sequence[Ints], shares: Sequence[Fraction], *, total: int, equal_sizes: bool) -> Ints:
    """Return which entry gives each sample of the blend: entry numbers, int64 [samples].

    Args:
        sizes: Per entry the sizes of its samples in their order, zero or more; their sum is at least the entry's
            share of ``total`` plus the largest size, or else all that may be drawn of it.
        shares: Per entry its due share, above zero; together 1.
        total: The blend ends with the sample that reaches this amount.
        equal_sizes: All sizes are 1: use the tighter rule.
    """
    shift = 1 / (2 * len(shares) - 2) if equal_sizes and len(shares) > 1 else 0.0
    releases, deadlines = [], []
    for own_sizes, share in zip(sizes, shares, strict=True):
        before = np.cumsum(own_sizes) - own_sizes
        early = 1.0 if shift else 0.0
        releases.append(((before + shift) / float(share) - early).tolist())
        deadlines.append(((before + own_sizes - shift) / float(share)).tolist())
    return _earliest_deadline_first([own.tolist() for own in sizes], releases, deadlines, total=total)


def _earliest_deadline_first(
    sizes: list[list[int]], releases: list[list[float]], deadlines: list[list[float]], *, total: int
) -> Ints:
    """Run the queues; plain lists and two small heaps, about a microsecond per sample."""
    turns: list[int] = []
    waiting = [(own[0], entry) for entry, own in enumerate(releases) if own]
    heapq.heapify(waiting)
    released: list[tuple[float, int]] = []
    places = [0] * len(sizes)
    emitted = 0
    while emitted < total and (waiting or released):
        # Some sample is always released (see above); where rounding hides that, the next in line is.
        while waiting and (waiting[0][0] <= emitted or not released):
            entry = heapq.heappop(waiting)[1]
            heapq.heappush(released, (deadlines[entry][places[entry]], entry))
        entry = heapq.heappop(released)[1]
        place = places[entry]
        turns.append(entry)
        emitted += sizes[entry][place]
        places[entry] = place = place + 1
        if place < len(sizes[entry]):
            heapq.heappush(waiting, (releases[entry][place], entry))
    return np.asarray(turns, dtype=np.int64)


def worst_deviations(turns: Ints, sizes: Ints, shares: Sequence[Fraction]) -> list[float]:
    """Return per entry the largest distance between got and due amount over all prefixes, in units.

    Args:
        turns: Entry of each sample, int64 [samples].
        sizes: Size of each sample, int64 [samples].
        shares: Due share of each entry.
    """
    emitted = np.cumsum(sizes)
    worst = []
    for entry, share in enumerate(shares):
        got = np.cumsum(np.where(turns == entry, sizes, 0))
        worst.append(float(np.abs(got - float(share) * emitted).max(initial=0.0)))
    return worst
