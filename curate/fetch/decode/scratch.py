"""Pixel buffers that a thread uses over and over.

Where glibc gives every freed megabyte back at once, as in Dask's workers (`MALLOC_TRIM_THRESHOLD_=65536`), fresh arrays
for each image cost a fifth of the images per second, in page faults; see docs/LOG.md.
"""

import math
import threading

import numpy as np

MAX_BYTES = 16_000_000
"""Larger buffers are made anew and given back: few images need them."""


class _Buffers(threading.local):
    def __init__(self) -> None:
        self.by_name: dict[str, np.ndarray] = {}


_buffers = _Buffers()


def borrow(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return a uint8 array with anything in it; it is this thread's until `name` is borrowed again."""
    num_bytes = math.prod(shape)
    if num_bytes > MAX_BYTES:
        return np.empty(shape, np.uint8)
    buffer = _buffers.by_name.get(name)
    if buffer is None or len(buffer) < num_bytes:
        buffer = _buffers.by_name[name] = np.empty(num_bytes, np.uint8)
    return buffer[:num_bytes].reshape(shape)
