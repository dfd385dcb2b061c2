"""The order in which entries take turns, with a bound that holds for every prefix.

Each entry i has a share p_i(v) of every further unit after v have been emitted, and a queue of samples with sizes. V is
the amount emitted so far, A_i what entry i has given of it, and D_i(V), the integral of p_i from 0 to V, what it should
have given; with weights that do not change D_i(V) = p_i V. Shares add up to 1 everywhere, so both the A_i and the
D_i(V) add up to V. A sample of entry i that follows an amount A of its own has a *release*, the V before which emitting
it would put i ahead of its due, and a *deadline*, after which i would be behind. Among released samples the one with
the earliest deadline goes next. Ties go to the entry listed first.

**Sizes that differ (images, tokens).** Release: the last V with D_i(V) <= A. Deadline: the first V with
D_i(V) >= A + size. With shares that do not change this is the packet scheduler WF2Q (Bennett and Zhang 1996, INFOCOM)
with queues that never empty. With L the largest size, for every prefix ``-L <= D_i(V) - A_i <= L``:

- Some sample is always released: either some entry has A_i < D_i(V), or all are even, and then that of any entry
  whose share is above zero from here on.
- Ahead: a sample starts with A_i <= D_i(V), so after it A_i - D_i(V) <= size <= L.
- Behind: take a sample x of entry i with deadline D that ends at V = E. Let q be the last sample before x with a later
  deadline than D, started at V = t. When q was chosen no sample with a deadline up to D had been released, so all that
  follow until x were released after t and are due by D; per entry they lie one after another between D_j(t) and
  D_j(D), over all entries at most D - t. So E <= t + L + (D - t) = D + L (without such a q, E <= D). Until x starts,
  at V <= D + L - size, i lacks D_i(V) - A_i <= D_i(D) - A_i + (L - size) = size + (L - size) = L, since no share is
  above 1.

**Equal sizes (samples).** Tijdeman's solution of the chairman assignment problem (1980, Discrete Mathematics 32), which
is stated for shares that change with every turn, moves both limits by d = 1 / (2 k - 2) for k entries: release the
first V with D_i(V + 1) >= A + d, deadline the first V with D_i(V) >= A + 1 - d. It keeps ``|D_i(n) - A_i| <= 1 - d``
for every prefix of n, and no rule does better for all shares.
"""

import heapq
import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt

from curate.blend.chunks import CHUNK, Integers, chunks
from curate.blend.curve import ShareCurve

Sample = tuple[float, float, int]
"""Release, deadline, size."""
Turns = npt.NDArray[np.uint16]
"""Entry numbers."""
_MIN_AHEAD = 64
_NO_SAMPLE: Sample = (math.inf, math.inf, 0)
"""Behind the last of a queue."""


def schedule_turns(sizes: Sequence[Integers], curves: Sequence[ShareCurve], *, total: int, equal_sizes: bool) -> Turns:
    """Return which entry gives each sample of the blend: entry numbers, uint16 [samples].

    Args:
        sizes: Per entry the sizes of its samples in their order, zero or more; their sum is at least the entry's
            due at ``total`` plus the largest size, or else all that may be drawn of it.
        curves: Per entry its share along the run, somewhere above zero; together 1 everywhere.
        total: The blend ends with the sample that reaches this amount.
        equal_sizes: All sizes are 1: use the tighter rule.
    """
    shift = 1 / (2 * len(curves) - 2) if equal_sizes and len(curves) > 1 else 0.0
    ahead = max(_MIN_AHEAD, CHUNK // len(curves))
    queues = [
        chain.from_iterable(_time_samples(own, curve, shift=shift, ahead=ahead))
        for own, curve in zip(sizes, curves, strict=True)
    ]
    return _earliest_deadline_first(queues, total=total)


def _time_samples(sizes: Integers, curve: ShareCurve, *, shift: float, ahead: int) -> Iterator[Iterable[Sample]]:
    """Yield an entry's samples with their times, ``ahead`` at once: those of all are not held."""
    early, before = (1.0 if shift else 0.0), 0
    for part in chunks(len(sizes), ahead):
        own = sizes[part].astype(np.int64)
        ends = before + np.cumsum(own)
        starts = (ends - own).astype(np.float64)
        releases = curve.find_when_due(starts + shift, last=not shift) - early
        deadlines = curve.find_when_due(starts + own - shift, last=False)
        yield zip(releases.tolist(), deadlines.tolist(), own.tolist(), strict=True)
        before = int(ends[-1])


def _earliest_deadline_first(queues: Sequence[Iterator[Sample]], *, total: int) -> Turns:
    """Run the queues; plain numbers and two small heaps, about a microsecond per sample."""
    turns = array("H")
    heads = [next(queue, _NO_SAMPLE) for queue in queues]
    waiting = [(head[0], entry) for entry, head in enumerate(heads) if head is not _NO_SAMPLE]
    heapq.heapify(waiting)
    released: list[tuple[float, int]] = []
    emitted = 0
    while emitted < total and (waiting or released):
        # Some sample is always released (see above); where rounding hides that, the next in line is.
        while waiting and (waiting[0][0] <= emitted or not released):
            entry = heapq.heappop(waiting)[1]
            heapq.heappush(released, (heads[entry][1], entry))
        entry = heapq.heappop(released)[1]
        turns.append(entry)
        emitted += heads[entry][2]
        heads[entry] = head = next(queues[entry], _NO_SAMPLE)
        if head is not _NO_SAMPLE:
            heapq.heappush(waiting, (head[0], entry))
    return np.asarray(turns)


def worst_deviations(turns: Turns, sizes: Integers, curves: Sequence[ShareCurve]) -> list[float]:
    """Return per entry the largest distance between got and due amount over all prefixes, in units.

    Args:
        turns: BlendEntry of each sample, [samples].
        sizes: Size of each sample, [samples].
        curves: Share of each entry along the run.
    """
    emitted, got, worst = 0, [0] * len(curves), [0.0] * len(curves)
    for part in chunks(len(turns)):
        own_turns, own_sizes = turns[part], sizes[part].astype(np.int64)
        prefixes = emitted + np.cumsum(own_sizes)
        emitted = int(prefixes[-1])
        for entry, curve in enumerate(curves):
            amounts = got[entry] + np.cumsum(np.where(own_turns == entry, own_sizes, 0))
            got[entry] = int(amounts[-1])
            worst[entry] = max(worst[entry], float(np.abs(amounts - curve.dues(prefixes.astype(np.float64))).max()))
    return worst
