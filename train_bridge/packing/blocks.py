"""An order of samples for storage that is slow to begin a shard: shuffled inside blocks of a few shards each.

Shards are put into an order of the epoch's own, and every few neighbours in it are a block, whose samples are shuffled.
At any time samples are then drawn of one block, or of two at a border, whatever the size of the corpus.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from curate.contract.ids import seed_for
from train_bridge.packing.order import Positions, shuffled_rows


@dataclass(frozen=True, kw_only=True, slots=True)
class ShuffledBlocks:
    """The order of one epoch: S shards in B blocks."""

    starts: Positions
    """[S] of the shards in the epoch's order: where each begins as stored."""
    ends: Positions
    """[S] of the same: where each ends in the epoch's order, samples of a block not yet shuffled."""
    block_shards: int
    seed: int
    epoch: int

    def rows(self, positions: Positions) -> Positions:
        """Return the rows, as stored, that stand at ``positions`` [K] of the epoch."""
        inside = np.empty(len(positions), dtype=np.int64)
        blocks = np.searchsorted(self.ends, positions, side="right") // self.block_shards
        for block in np.unique(blocks).tolist():
            of, first = blocks == block, block * self.block_shards
            begin = int(self.ends[first - 1]) if first else 0
            end = int(self.ends[min(first + self.block_shards, len(self.ends)) - 1])
            seed = seed_for(self.seed, f"block {block}")
            shuffled = shuffled_rows(positions[of] - begin, num_rows=end - begin, seed=seed, epoch=self.epoch)
            inside[of] = shuffled + begin
        shards = np.searchsorted(self.ends, inside, side="right")
        before = np.concatenate([[0], self.ends])[shards]
        return np.asarray(self.starts[shards] + inside - before, dtype=np.int64)


def shuffled_blocks(
    shard_starts: Positions, *, num_rows: int, block_shards: int, seed: int, epoch: int
) -> ShuffledBlocks:
    """Return the order of an epoch.

    Args:
        shard_starts: [S]: where each shard begins as stored, rising from 0; one without rows begins where it ends.
        num_rows: Of all.
        block_shards: Shards in a block.
        seed: Of the run.
        epoch: Each has an order of its own.
    """
    order = _shard_order(len(shard_starts), seed=seed, epoch=epoch)
    sizes = np.diff(shard_starts, append=num_rows)
    return ShuffledBlocks(
        starts=shard_starts[order],
        ends=np.cumsum(sizes[order]),
        block_shards=block_shards,
        seed=seed,
        epoch=epoch,
    )


@lru_cache(maxsize=64)
def _shard_order(num_shards: int, *, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    return shuffled_rows(np.arange(num_shards, dtype=np.int64), num_rows=num_shards, seed=seed, epoch=epoch)
