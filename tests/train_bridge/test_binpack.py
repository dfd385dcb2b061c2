import pytest
from hypothesis import given
from hypothesis import strategies as st

from train_bridge.binpack import pack_best_fit


def test_long_items_open_bins_and_short_ones_fill_the_tightest() -> None:
    assert pack_best_fit([3, 7, 6, 2, 4], capacity=10) == [[1, 0], [2, 4], [3]]


def test_nothing_to_pack() -> None:
    assert pack_best_fit([], capacity=10) == []


def test_equal_sizes_keep_their_order() -> None:
    assert pack_best_fit([5, 5, 5], capacity=10) == [[0, 1], [2]]


@pytest.mark.parametrize("size", [0, 11])
def test_an_item_that_fits_no_bin_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=r"1\.\.10"):
        pack_best_fit([size], capacity=10)


def test_the_cap_on_images_looks_for_another_bin() -> None:
    bins = pack_best_fit([6, 5, 2, 2], capacity=10, images=[2, 0, 1, 1], max_images=2)
    assert bins == [[0], [1, 2, 3]]


def test_an_item_over_the_cap_has_a_bin_of_its_own() -> None:
    assert pack_best_fit([4, 3], capacity=10, images=[9, 1], max_images=2) == [[0], [1]]


@given(st.lists(st.integers(1, 50), max_size=80), st.integers(50, 64))
def test_every_item_lies_in_one_bin_that_holds_it(sizes: list[int], capacity: int) -> None:
    bins = pack_best_fit(sizes, capacity=capacity)
    assert sorted(item for items in bins for item in items) == list(range(len(sizes)))
    assert all(sum(sizes[item] for item in items) <= capacity for items in bins)
    assert sum(2 * sum(sizes[i] for i in items) <= capacity for items in bins) <= 1  # at most one is half empty
