import numpy as np

from train_bridge.packing.balance import Standing, choose_packs


def test_every_stretch_holds_the_shares() -> None:
    amounts = np.array([[100, 0]] * 30 + [[0, 100]] * 60, dtype=np.int64)
    chosen = choose_packs(
        amounts,
        [1] * 90,
        capacity=100,
        standing=Standing(due=np.array([1 / 3, 2 / 3]), ahead=np.zeros(2)),
        num_keep=0,
        overdue=np.zeros(90, dtype=np.bool_),
    )
    assert sorted(chosen.order) == list(range(90))
    sums = np.cumsum(amounts[chosen.order], axis=0) / 100
    away = sums - np.arange(1, 91)[:, None] * np.array([1 / 3, 2 / 3])
    assert np.abs(away).max() <= 1
    assert np.allclose(chosen.ahead, 0)


def test_packs_that_are_not_full_wait() -> None:
    amounts = np.array([[100], [60], [100], [99]], dtype=np.int64)
    chosen = choose_packs(
        amounts,
        [2, 2, 2, 2],
        capacity=100,
        standing=Standing(due=np.ones(1), ahead=np.zeros(1)),
        num_keep=2,
        overdue=np.zeros(4, dtype=np.bool_),
    )
    assert sorted(chosen.order) == [0, 2, 3]


def test_overdue_packs_go_out_all_the_same() -> None:
    amounts = np.array([[100], [60], [100]], dtype=np.int64)
    chosen = choose_packs(
        amounts,
        [2, 2, 2],
        capacity=100,
        standing=Standing(due=np.ones(1), ahead=np.zeros(1)),
        num_keep=6,
        overdue=np.array([False, True, False]),
    )
    assert chosen.order == [1]


def test_what_went_out_before_counts() -> None:
    amounts = np.array([[100, 0], [0, 100]], dtype=np.int64)
    first = [
        choose_packs(
            amounts,
            [1, 1],
            capacity=100,
            standing=Standing(due=np.array([0.5, 0.5]), ahead=np.array(ahead)),
            num_keep=0,
            overdue=np.zeros(2, dtype=np.bool_),
        ).order[0]
        for ahead in ([0.5, -0.5], [-0.5, 0.5])
    ]
    assert first == [1, 0]


def test_no_packs() -> None:
    empty = np.zeros((0, 2), dtype=np.int64)
    overdue = np.zeros(0, dtype=np.bool_)
    chosen = choose_packs(
        empty,
        [],
        capacity=10,
        standing=Standing(due=np.array([0.5, 0.5]), ahead=np.zeros(2)),
        num_keep=0,
        overdue=overdue,
    )
    assert chosen.order == []
