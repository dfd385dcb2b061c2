"""One row of a benchmark, and how it is measured: interleaved runs, medians, a ratio."""

import statistics
from collections.abc import Callable
from typing import TypedDict

NUM_RUNS = 5


class BenchRow(TypedDict):
    """What ``curate bench --json`` writes; a ratio above 1 means that we are better."""

    bench: str
    case: str
    unit: str
    ours: float
    peer: str
    peer_value: float | None
    ratio: float | None
    runs: int


def compare(  # noqa: PLR0913 - a row has these fields
    bench: str,
    case: str,
    *,
    unit: str,
    ours: Callable[[], float],
    peer: str,
    theirs: Callable[[], float] | None,
    num_runs: int = NUM_RUNS,
) -> BenchRow:
    """Measure two ways of doing one thing in turns, because a machine's speed drifts.

    Args:
        bench: Name of the benchmark.
        case: Name of the case.
        unit: Of both values; more is better.
        ours: Measures us once.
        peer: Name and version.
        theirs: Measures the peer once; None where it is not installed.
        num_runs: Turns; the first, unmeasured, warms both up.
    """
    ours()
    if theirs is not None:
        theirs()
    pairs = [(ours(), theirs() if theirs is not None else None) for _ in range(num_runs)]
    our_value = statistics.median(value for value, _ in pairs)
    their_values = [value for _, value in pairs if value is not None]
    peer_value = statistics.median(their_values) if their_values else None
    ratio = our_value / peer_value if peer_value else None
    return BenchRow(
        bench=bench, case=case, unit=unit, ours=our_value, peer=peer, peer_value=peer_value, ratio=ratio, runs=num_runs
    )
