"""Cuts an order of samples into shards, before any of them is written."""

import numpy as np
import numpy.typing as npt


def cut_shards(num_bytes: npt.NDArray[np.int64], *, max_bytes: int, max_samples: int) -> list[range]:
    """Return the places of the samples of each shard, in order.

    The cut depends on the sizes alone, so shards may be written by any worker in any order.

    Args:
        num_bytes: Bytes of images and text of each sample, in the order of the set, int64 [samples].
        max_bytes: Of a shard; a larger sample gets its own.
        max_samples: Of a shard.
    """
    ends = np.cumsum(num_bytes)
    cuts: list[range] = []
    start = 0
    while start < len(num_bytes):
        before = int(ends[start - 1]) if start else 0
        fitting = int(np.searchsorted(ends, before + max_bytes, side="right"))
        stop = min(max(fitting, start + 1), start + max_samples, len(num_bytes))
        cuts.append(range(start, stop))
        start = stop
    return cuts
