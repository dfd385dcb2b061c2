"""Cuts an order of samples into shards, before any of them is written."""

import numpy as np
import numpy.typing as npt

from shards.config import ShardsConfig


def cut_shards(num_bytes: npt.NDArray[np.int64], config: ShardsConfig) -> list[range]:
    """Return the places of the samples of each shard, in order.

    The cut depends on the sizes alone, so shards may be written by any worker in any order.

    Args:
        num_bytes: Bytes of images and text of each sample, in the order of the set, int64 [samples].
        config: The limits.
    """
    ends = np.cumsum(num_bytes)
    cuts: list[range] = []
    start = 0
    while start < len(num_bytes):
        before = int(ends[start - 1]) if start else 0
        fitting = int(np.searchsorted(ends, before + int(config.bytes), side="right"))
        stop = min(max(fitting, start + 1), start + config.samples, len(num_bytes))
        cuts.append(range(start, stop))
        start = stop
    return cuts
