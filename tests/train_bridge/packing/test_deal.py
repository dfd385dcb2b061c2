from dataclasses import replace

import numpy as np

from tests.train_bridge.packing.test_plan import CORPUS, SETTINGS
from train_bridge.packing.deal import deal_turn, order_rounds
from train_bridge.packing.plan import Pack, plan_packs

PACKS = list(plan_packs(CORPUS, SETTINGS, num_epochs=1))


def numbers(packs: list[Pack]) -> list[int]:
    return [pack.number for pack in packs]


def test_a_round_holds_the_same_packs_heaviest_first() -> None:
    dealt = list(order_rounds(PACKS, first=0, round_packs=16))
    assert len(dealt) == len(PACKS)
    for start in range(0, len(PACKS), 16):
        found = dealt[start : start + 16]
        assert sorted(numbers(found)) == numbers(PACKS[start : start + 16])
        images = [pack.num_images for pack in found]
        assert images == sorted(images, reverse=True)
        assert {pack.window for pack in found} == {PACKS[start].window}


def test_it_goes_on_inside_a_round() -> None:
    whole = list(order_rounds(PACKS, first=0, round_packs=16))
    assert numbers(list(order_rounds(PACKS[16:], first=21, round_packs=16))) == numbers(whole[21:])


def test_a_turn_gives_every_rank_as_many() -> None:
    for num_ranks in (1, 2, 4):
        batches = deal_turn(PACKS[:8], turn=0, num_ranks=num_ranks)
        assert [len(batch) for batch in batches] == [8 // num_ranks] * num_ranks
        assert sorted(number for batch in batches for number in numbers(batch)) == list(range(8))
        assert all(numbers(batch) == sorted(numbers(batch)) for batch in batches)


def test_ranks_have_like_images_in_a_step() -> None:
    packs = [replace(PACKS[i % len(PACKS)], number=i) for i in range(64)]
    dealt = list(order_rounds(packs, first=0, round_packs=64))
    totals, spread = np.zeros(4), []
    for turn in range(16):
        batches = deal_turn(dealt[4 * turn : 4 * turn + 4], turn=turn, num_ranks=4)
        images = np.array([sum(pack.num_images for pack in batch) for batch in batches])
        totals += images
        spread.append(images.max() - images.min())
    assert np.mean(spread) < 1  # of about 10 per pack
    assert totals.max() - totals.min() <= 4
