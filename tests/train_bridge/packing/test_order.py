import numpy as np
import pytest

from train_bridge.packing.order import shuffled_rows


@pytest.mark.parametrize("num_rows", [1, 2, 3, 64, 1000, 4097])
def test_it_is_a_permutation(num_rows: int) -> None:
    rows = shuffled_rows(np.arange(num_rows, dtype=np.int64), num_rows=num_rows, seed=0, epoch=0)
    assert sorted(rows.tolist()) == list(range(num_rows))


def test_any_position_can_be_asked_for_alone() -> None:
    whole = shuffled_rows(np.arange(100, dtype=np.int64), num_rows=100, seed=3, epoch=1)
    assert shuffled_rows(np.array([41, 7]), num_rows=100, seed=3, epoch=1).tolist() == whole[[41, 7]].tolist()


def test_seed_and_epoch_change_it() -> None:
    positions = np.arange(500, dtype=np.int64)
    orders = [
        shuffled_rows(positions, num_rows=500, seed=seed, epoch=epoch).tolist()
        for seed, epoch in [(0, 0), (1, 0), (0, 1)]
    ]
    assert orders[0] != orders[1]
    assert orders[0] != orders[2]


def test_neighbours_are_spread_like_random_ones() -> None:
    rows = shuffled_rows(np.arange(10_000, dtype=np.int64), num_rows=10_000, seed=0, epoch=0)
    # Two random numbers of 0..N-1 are N/3 apart on average; 4 standard errors are about 100.
    assert abs(np.abs(np.diff(rows)).mean() - 10_000 / 3) < 100
