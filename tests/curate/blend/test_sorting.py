import numpy as np
import pytest

from curate.blend.chunks import CHUNK
from curate.blend.sorting import part_rows, sort_words


@pytest.mark.parametrize("num_words", [0, 1, 5, CHUNK + 7])
@pytest.mark.parametrize("largest", [3, 2**40, 2**64 - 1])
def test_words_are_sorted_and_equal_ones_stay_in_their_order(num_words: int, largest: int) -> None:
    words = np.random.default_rng(num_words).integers(0, largest, num_words, dtype=np.uint64, endpoint=True)
    assert sort_words(words).tolist() == np.argsort(words, kind="stable").tolist()


@pytest.mark.parametrize("num_rows", [0, 9, 2 * CHUNK + 1])
def test_rows_are_parted_by_label_in_their_order(num_rows: int) -> None:
    random = np.random.default_rng(3)
    rows = random.permutation(num_rows).astype(np.uint32)
    groups, label_of_group = random.integers(0, 5, num_rows).astype(np.uint16), np.array([2, 0, 3, 0, 2])
    parted = part_rows(rows, groups, label_of_group, 4)
    expected = [[row for row in rows.tolist() if label_of_group[groups[row]] == label] for label in range(4)]
    assert [own.tolist() for own in parted] == expected
