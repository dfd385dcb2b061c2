import numpy as np
import pytest

from curate.blend.chunks import CHUNK, chunks, sum_by_group, take


@pytest.mark.parametrize(("length", "stretches"), [(0, []), (3, [(0, 3)]), (4, [(0, 4)]), (5, [(0, 4), (4, 5)])])
def test_stretches_make_up_the_whole(length: int, stretches: list[tuple[int, int]]) -> None:
    assert [(part.start, part.stop) for part in chunks(length, 4)] == stretches


def test_rows_are_taken_across_the_border_of_a_chunk() -> None:
    values, rows = np.arange(10, 20), np.arange(CHUNK + 3, dtype=np.uint32) % 10
    assert take(values, rows).tolist() == values[rows].tolist()


def test_sums_are_exact_where_floats_are_not() -> None:
    large = 2**53
    values, groups = np.array([large, 1, 5, 7], dtype=np.int64), np.array([0, 0, 2, 2], dtype=np.uint16)
    assert sum_by_group(groups, values, 3).tolist() == [large + 1, 0, 12]


def test_narrow_values_do_not_wrap() -> None:
    values, uses = np.full(CHUNK + 1, 2**32 - 1, dtype=np.uint32), np.full(CHUNK + 1, 3, dtype=np.uint32)
    assert sum_by_group(np.zeros(CHUNK + 1, np.uint16), values, 1, times=uses).tolist() == [
        (CHUNK + 1) * 3 * (2**32 - 1)
    ]
