from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.blend.chunks import CHUNK
from curate.blend.curve import ShareCurve, constant_curve
from curate.blend.schedule import Turns, schedule_turns, worst_deviations

Ints = npt.NDArray[np.int64]

WEIGHTS = st.lists(st.integers(1, 10_000), min_size=1, max_size=8)


def curves_of(weights: list[int]) -> list[ShareCurve]:
    return [constant_curve(Fraction(weight, sum(weights))) for weight in weights]


def sizes_in_order(turns: Turns, sizes: list[Ints]) -> Ints:
    flat = np.zeros(len(turns), dtype=np.int64)
    for entry, own in enumerate(sizes):
        flat[turns == entry] = own[: (turns == entry).sum()]
    return flat


@settings(deadline=None, max_examples=150)
@given(WEIGHTS, st.integers(1, 400))
def test_equal_sizes_stay_within_tijdemans_bound(weights: list[int], total: int) -> None:
    curves = curves_of(weights)
    sizes = [np.ones(int(curve.due(total)) + 2, dtype=np.int64) for curve in curves]
    turns = schedule_turns(sizes, curves, total=total, equal_sizes=True)
    bound = 1 - 1 / (2 * len(weights) - 2) if len(weights) > 1 else 0
    assert len(turns) == total
    assert max(worst_deviations(turns, np.ones(total, dtype=np.int64), curves)) <= bound + 1e-9


@settings(deadline=None, max_examples=150)
@given(WEIGHTS, st.integers(0, 2**32 - 1), st.sampled_from(["flat", "heavy", "zeros", "alternating"]))
def test_sizes_that_differ_stay_within_the_largest(weights: list[int], seed: int, shape: str) -> None:
    random = np.random.default_rng(seed)
    curves = curves_of(weights)
    sizes = [draw_sizes(random, shape, number) for number in range(len(curves))]
    largest = max(int(own.max()) for own in sizes)
    total = int(min(int(own.sum()) / curve.shares[0] for own, curve in zip(sizes, curves, strict=True)))
    turns = schedule_turns(sizes, curves, total=total, equal_sizes=False)
    flat = sizes_in_order(turns, sizes)
    assert total <= flat.sum() < total + largest
    assert max(worst_deviations(turns, flat, curves)) <= largest * (1 + 1e-9)


def draw_sizes(random: np.random.Generator, shape: str, number: int) -> Ints:
    sizes = {
        "flat": random.integers(1, 1000, 60),
        "heavy": (random.pareto(0.8, 60) * 10 + 1).clip(max=10**6).astype(np.int64),
        "zeros": random.integers(0, 3, 60) * random.integers(0, 2, 60),
        "alternating": np.where(np.arange(60) % 2 == number % 2, 1, 5000),
    }[shape].astype(np.int64)
    sizes[0] = max(sizes[0], 1)
    return np.asarray(sizes)


def test_one_entry_takes_every_turn() -> None:
    turns = schedule_turns([np.array([5, 0, 7])], curves_of([1]), total=12, equal_sizes=False)
    assert turns.tolist() == [0, 0, 0]


def test_halves_alternate_and_ties_go_to_the_first() -> None:
    ones = np.ones(4, dtype=np.int64)
    turns = schedule_turns([ones, ones], curves_of([1, 1]), total=8, equal_sizes=True)
    assert turns.tolist() == [0, 1, 0, 1, 0, 1, 0, 1]
    assert worst_deviations(turns, np.ones(8, dtype=np.int64), curves_of([1, 1])) == [0.5, 0.5]


@pytest.mark.parametrize("total", [1, 10, 100_000])
def test_a_rare_entry_gets_its_whole_part(total: int) -> None:
    curves = curves_of([1, 999])
    ones = np.ones(total, dtype=np.int64)
    turns = schedule_turns([ones, ones], curves, total=total, equal_sizes=True)
    assert abs(int((turns == 0).sum()) - total / 1000) <= 0.5


def test_worst_deviation_of_an_unfair_order() -> None:
    turns = np.array([0, 0, 1, 1], dtype=np.uint16)
    assert worst_deviations(turns, np.array([10, 10, 10, 10]), curves_of([1, 1])) == [10.0, 10.0]


@st.composite
def courses(draw: st.DrawFn) -> tuple[list[ShareCurve], int]:
    """Return the shares of some entries that change along a run, and the run's length."""
    num_entries, total = draw(st.integers(2, 5)), draw(st.integers(1, 300))
    inner = draw(st.lists(st.integers(1, total), max_size=4, unique=True))
    knots = tuple(Fraction(place) for place in sorted({0, *inner}))
    columns = []
    for _ in knots:
        weights = draw(st.lists(st.integers(0, 9), min_size=num_entries, max_size=num_entries))
        weights[draw(st.integers(0, num_entries - 1))] += 1
        columns.append([Fraction(weight, sum(weights)) for weight in weights])
    return [ShareCurve(knots=knots, shares=shares) for shares in zip(*columns, strict=True)], total


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(courses())
def test_equal_sizes_stay_within_tijdemans_bound_while_shares_change(course: tuple[list[ShareCurve], int]) -> None:
    curves, total = course
    sizes = [np.ones(int(curve.due(total)) + 2, dtype=np.int64) for curve in curves]
    turns = schedule_turns(sizes, curves, total=total, equal_sizes=True)
    assert len(turns) == total
    bound = 1 - Fraction(1, 2 * len(curves) - 2)
    for number in range(1, total + 1):
        got = np.bincount(turns[:number], minlength=len(curves))
        assert all(abs(curve.due(number) - int(own)) <= bound for curve, own in zip(curves, got, strict=True))


@settings(deadline=None, max_examples=200)
@given(courses(), st.integers(0, 2**32 - 1), st.sampled_from(["flat", "heavy", "zeros", "alternating"]))
def test_sizes_that_differ_stay_within_the_largest_while_shares_change(
    course: tuple[list[ShareCurve], int], seed: int, shape: str
) -> None:
    curves, _ = course
    random = np.random.default_rng(seed)
    sizes = [np.tile(draw_sizes(random, shape, number), 40) for number in range(len(curves))]
    largest = max(int(own.max()) for own in sizes)
    total = min(int(own.sum()) for own in sizes) // 2
    turns = schedule_turns(sizes, curves, total=total, equal_sizes=False)
    flat = sizes_in_order(turns, sizes)
    assert total <= flat.sum() < total + largest
    assert max(worst_deviations(turns, flat, curves)) <= largest * (1 + 1e-9)


def test_an_entry_whose_share_comes_later_waits_for_it() -> None:
    later = ShareCurve(
        knots=(Fraction(0), Fraction(500), Fraction(1000)), shares=(Fraction(0), Fraction(0), Fraction(1))
    )
    first = ShareCurve(knots=later.knots, shares=(Fraction(1), Fraction(1), Fraction(0)))
    big = np.full(10, 300, dtype=np.int64)
    turns = schedule_turns([np.full(200, 10, dtype=np.int64), big], [first, later], total=1000, equal_sizes=False)
    assert set(turns[:50].tolist()) == {0}
    assert 1 in turns


@pytest.mark.parametrize("num_entries", [2, 12])
def test_chunks_leave_no_trace(num_entries: int) -> None:
    """Sizes are looked at piece by piece; one sample after the other gives the same."""
    random = np.random.default_rng(num_entries)
    curves = curves_of([8 + number % 2 for number in range(num_entries)])
    sizes = [random.integers(0, 9, CHUNK * 5 // 4 // num_entries) for _ in curves]
    total = int(min(int(own.sum()) / curve.shares[0] for own, curve in zip(sizes, curves, strict=True))) - 99
    turns = schedule_turns(sizes, curves, total=total, equal_sizes=False)
    assert np.bincount(turns).max() > CHUNK // num_entries
    assert turns.tolist() == turns_one_by_one([own.tolist() for own in sizes], curves, total)
    flat = sizes_in_order(turns, sizes)
    emitted = flat.cumsum().astype(np.float64)
    got = [np.where(turns == entry, flat, 0).cumsum() for entry in range(num_entries)]
    deviations = [float(np.abs(own - curve.dues(emitted)).max()) for own, curve in zip(got, curves, strict=True)]
    assert worst_deviations(turns, flat, curves) == deviations


def turns_one_by_one(sizes: list[list[int]], curves: list[ShareCurve], total: int) -> list[int]:
    """Among released samples the one with the earliest deadline goes next; shares do not change."""
    shares = [float(curve.shares[0]) for curve in curves]
    places, given = [0] * len(sizes), [0] * len(sizes)
    turns: list[int] = []
    emitted = 0
    while emitted < total:
        entries = [entry for entry, share in enumerate(shares) if given[entry] / share <= emitted]
        deadlines = [(given[entry] + sizes[entry][places[entry]]) / shares[entry] for entry in entries]
        entry = entries[deadlines.index(min(deadlines))]
        turns.append(entry)
        given[entry] += sizes[entry][places[entry]]
        emitted += sizes[entry][places[entry]]
        places[entry] += 1
    return turns
