import numpy as np
import pytest

from train_bridge.packing.blocks import shuffled_blocks

STARTS = np.array([0, 5, 5, 12, 30], dtype=np.int64)
NUM_ROWS = 41


def rows(*, epoch: int = 0, seed: int = 3, block_shards: int = 2) -> np.ndarray:
    blocks = shuffled_blocks(STARTS, num_rows=NUM_ROWS, block_shards=block_shards, seed=seed, epoch=epoch)
    return blocks.rows(np.arange(NUM_ROWS))


@pytest.mark.parametrize("block_shards", [1, 2, 3, 5, 9])
def test_an_epoch_has_every_row_once_and_another_order_of_its_own(block_shards: int) -> None:
    orders = [rows(epoch=epoch, block_shards=block_shards) for epoch in range(3)]
    for order in orders:
        assert sorted(order.tolist()) == list(range(NUM_ROWS))
    assert len({tuple(order.tolist()) for order in orders}) == 3
    assert rows(seed=4, block_shards=block_shards).tolist() != orders[0].tolist()


def test_few_shards_are_read_at_a_time() -> None:
    shards = np.searchsorted(STARTS, rows(), side="right")
    lasts = {shard: np.flatnonzero(shards == shard)[[0, -1]] for shard in np.unique(shards)}
    open_at = [sum(first <= place <= last for first, last in lasts.values()) for place in range(NUM_ROWS)]
    assert max(open_at) == 2
    assert np.abs(np.diff(rows())).max() > 1


def test_places_are_found_in_any_order() -> None:
    blocks = shuffled_blocks(STARTS, num_rows=NUM_ROWS, block_shards=2, seed=3, epoch=0)
    places = np.array([40, 3, 17, 3])
    assert blocks.rows(places).tolist() == rows()[places].tolist()
