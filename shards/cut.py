"""Cuts an order of samples into shards, before any of them is written."""

from typing import Any

import numpy as np
import numpy.typing as npt

CHUNK = 1 << 16
"""Samples whose sizes are added up at a time."""


def cut_shards(
    num_bytes: npt.NDArray[np.int64],
    *,
    max_bytes: int,
    max_samples: int,
    rows: npt.NDArray[np.integer[Any]] | None = None,
    chunk: int = CHUNK,
) -> list[range]:
    """Return the places of the samples of each shard, in order.

    The cut depends on the sizes alone, so shards may be written by any worker in any order.

    Args:
        num_bytes: Bytes of images and text of each sample, int64; in the order of the set, unless there are ``rows``.
        max_bytes: Of a shard; a larger sample gets its own.
        max_samples: Of a shard.
        rows: Place in ``num_bytes`` of each sample, in the order of the set, [samples].
        chunk: Samples whose sizes are added up at a time; the cut does not depend on it.
    """
    num_samples = len(num_bytes if rows is None else rows)
    cuts: list[range] = []
    start = filled = 0  # of the shard that is open: its first sample, and its bytes before the chunk
    for first in range(0, num_samples, chunk):
        part = slice(first, first + chunk)
        ends = np.cumsum(num_bytes[part] if rows is None else num_bytes[rows[part]])
        before = -filled
        while True:
            fitting = first + int(np.searchsorted(ends, before + max_bytes, side="right"))
            stop = min(max(fitting, start + 1), start + max_samples)
            if stop >= first + len(ends):  # what comes next may fit too
                break
            cuts.append(range(start, stop))
            before = int(ends[stop - first - 1]) if stop > first else 0
            start = stop
        filled = int(ends[-1]) - before
    if start < num_samples:
        cuts.append(range(start, num_samples))
    return cuts
