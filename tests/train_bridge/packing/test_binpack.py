import numpy as np
import pytest

from train_bridge.packing.binpack import fill_packs


def fill(packs: list[list[int]], sizes: list[int], capacity: int) -> float:
    return sum(sizes) / len(packs) / capacity


def test_every_item_is_in_one_pack_that_holds_it() -> None:
    sizes = np.random.default_rng(0).integers(1, 100, 500).tolist()
    packs = fill_packs(sizes, capacity=100)
    assert sorted(item for pack in packs for item in pack) == list(range(500))
    assert max(sum(sizes[item] for item in pack) for pack in packs) <= 100


def test_one_or_two_items_fill_the_rest_exactly() -> None:
    assert fill_packs([60, 39, 40], capacity=100) == [[0, 2], [1]]
    assert fill_packs([50, 20, 30, 49], capacity=100) == [[0, 1, 2], [3]]


def test_the_oldest_opens_a_pack() -> None:
    packs = fill_packs([5, 90, 80, 95], capacity=100)
    assert [pack[0] for pack in packs] == [0, 1, 2]
    assert packs[0] == [0, 3]


def test_random_lengths_leave_little_room_while_there_is_choice() -> None:
    sizes = np.random.default_rng(1).integers(20, 900, 2000).tolist()
    packs = fill_packs(sizes, capacity=1000)
    assert np.mean([sum(sizes[item] for item in pack) for pack in packs[:500]]) > 995
    longest_first = sorted(sizes, reverse=True)
    assert fill(fill_packs(longest_first, capacity=1000), sizes, 1000) > 0.99


def test_the_cap_on_images_holds() -> None:
    rng = np.random.default_rng(2)
    sizes, images = rng.integers(5, 60, 300).tolist(), rng.integers(0, 4, 300).tolist()
    packs = fill_packs(sizes, capacity=100, images=images, max_images=4)
    assert max(sum(images[item] for item in pack) for pack in packs) <= 4
    assert sorted(item for pack in packs for item in pack) == list(range(300))


def test_an_item_above_the_cap_is_alone() -> None:
    assert fill_packs([10, 10, 10], capacity=100, images=[9, 0, 1], max_images=4) == [[0], [1, 2]]


@pytest.mark.parametrize("sizes", [[0, 5], [101]])
def test_sizes_must_fit(sizes: list[int]) -> None:
    with pytest.raises(ValueError, match=r"1\.\.100"):
        fill_packs(sizes, capacity=100)


def test_nothing_is_no_pack() -> None:
    assert fill_packs([], capacity=100) == []
