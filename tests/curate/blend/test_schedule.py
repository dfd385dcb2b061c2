from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.blend.schedule import Ints, schedule_turns, worst_deviations

WEIGHTS = st.lists(st.integers(1, 10_000), min_size=1, max_size=8)


def shares_of(weights: list[int]) -> list[Fraction]:
    return [Fraction(weight, sum(weights)) for weight in weights]


def sizes_in_order(turns: Ints, sizes: list[Ints]) -> Ints:
    flat = np.zeros(len(turns), dtype=np.int64)
    for entry, own in enumerate(sizes):
        flat[turns == entry] = own[: (turns == entry).sum()]
    return flat


@settings(deadline=None, max_examples=150)
@given(WEIGHTS, st.integers(1, 400))
def test_equal_sizes_stay_within_tijdemans_bound(weights: list[int], total: int) -> None:
    shares = shares_of(weights)
    sizes = [np.ones(int(share * total) + 2, dtype=np.int64) for share in shares]
    turns = schedule_turns(sizes, shares, total=total, equal_sizes=True)
    bound = 1 - 1 / (2 * len(weights) - 2) if len(weights) > 1 else 0
    assert len(turns) == total
    assert max(worst_deviations(turns, np.ones(total, dtype=np.int64), shares)) <= bound + 1e-9


@settings(deadline=None, max_examples=150)
@given(WEIGHTS, st.integers(0, 2**32 - 1), st.sampled_from(["flat", "heavy", "zeros", "alternating"]))
def test_sizes_that_differ_stay_within_the_largest(weights: list[int], seed: int, shape: str) -> None:
    random = np.random.default_rng(seed)
    shares = shares_of(weights)
    sizes = [draw_sizes(random, shape, number) for number in range(len(shares))]
    largest = max(int(own.max()) for own in sizes)
    total = int(min(int(own.sum()) / share for own, share in zip(sizes, shares, strict=True)))
    turns = schedule_turns(sizes, shares, total=total, equal_sizes=False)
    flat = sizes_in_order(turns, sizes)
    assert total <= flat.sum() < total + largest
    assert max(worst_deviations(turns, flat, shares)) <= largest * (1 + 1e-9)


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
    turns = schedule_turns([np.array([5, 0, 7])], [Fraction(1)], total=12, equal_sizes=False)
    assert turns.tolist() == [0, 0, 0]


def test_halves_alternate_and_ties_go_to_the_first() -> None:
    ones = np.ones(4, dtype=np.int64)
    turns = schedule_turns([ones, ones], [Fraction(1, 2)] * 2, total=8, equal_sizes=True)
    assert turns.tolist() == [0, 1, 0, 1, 0, 1, 0, 1]
    assert worst_deviations(turns, np.ones(8, dtype=np.int64), [Fraction(1, 2)] * 2) == [0.5, 0.5]


@pytest.mark.parametrize("total", [1, 10, 100_000])
def test_a_rare_entry_gets_its_whole_part(total: int) -> None:
    shares = [Fraction(1, 1000), Fraction(999, 1000)]
    ones = np.ones(total, dtype=np.int64)
    turns = schedule_turns([ones, ones], shares, total=total, equal_sizes=True)
    assert abs(int((turns == 0).sum()) - total / 1000) <= 0.5


def test_worst_deviation_of_an_unfair_order() -> None:
    turns = np.array([0, 0, 1, 1])
    assert worst_deviations(turns, np.array([10, 10, 10, 10]), [Fraction(1, 2)] * 2) == [10.0, 10.0]
