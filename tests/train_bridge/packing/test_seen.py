import numpy as np
import pytest

from train_bridge.packing.seen import Seen

TIMES = np.array([1, 2, 1, 1, 2, 2, 1, 3, 1], dtype=np.uint8)


def test_the_rarest_row_says_how_many_passes_are_whole() -> None:
    seen = Seen.of(TIMES)
    assert (seen.epoch, seen.places.tolist(), seen.num_rows) == (1, [1, 4, 5, 7], 9)
    assert seen.start == 9 + 4
    assert Seen.of(np.zeros(3, dtype=np.uint8)).start == 0
    assert Seen.of(np.zeros(0, dtype=np.uint8)).start == 0


def test_rows_that_were_seen_stand_first_and_the_rest_behind_them() -> None:
    seen = Seen.of(TIMES)
    assert seen.rows_of(np.arange(9), lambda places: places).tolist() == [1, 4, 5, 7, 0, 2, 3, 6, 8]
    turned = seen.rows_of(np.array([4, 8, 1, 6]), lambda places: 4 - places)
    assert turned.tolist() == [8, 0, 4, 3]


@pytest.mark.parametrize("dtype", [np.uint32, np.int64])
def test_a_row_is_found_where_it_stands(dtype: type) -> None:
    seen = Seen(epoch=1, places=np.array([1, 4, 5, 7], dtype=dtype), num_rows=9)
    assert [seen.place_of(row) for row in (1, 4, 7, 0, 8)] == [9, 10, 12, None, None]
    assert seen.starts_left(np.array([0, 4, 6])).tolist() == [0, 3, 3]


def test_all_or_none_may_be_seen() -> None:
    for times in (np.zeros(4, dtype=np.uint8), np.array([0, 1, 1, 1], dtype=np.uint8)):
        rows = Seen.of(times).rows_of(np.arange(4), lambda places: places)
        assert sorted(rows.tolist()) == [0, 1, 2, 3]
