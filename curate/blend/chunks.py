"""Long arrays piece by piece: beside its results, a plan holds nothing that is as long as its pool for long."""

from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

CHUNK = 1 << 16
"""Values of a piece."""

T = TypeVar("T", bound=np.generic)

Rows = npt.NDArray[np.uint32]
"""Places in a pool."""
Integers = npt.NDArray[np.integer[Any]]
"""Amounts of any width."""


def chunks(length: int, size: int = CHUNK) -> Iterator[slice]:
    """Yield the stretches of at most ``size`` that make up ``length``, in order."""
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))


def take(values: npt.NDArray[T], rows: Rows) -> npt.NDArray[T]:
    """Return ``values[rows]``; at once, NumPy would widen all rows to 64 bits first."""
    found = np.empty(len(rows), values.dtype)
    for part in chunks(len(rows)):
        found[part] = values[rows[part]]
    return found


def sum_by_group(
    groups: npt.NDArray[np.uint16], values: Integers, num_groups: int, *, times: Integers | None = None
) -> npt.NDArray[np.int64]:
    """Return the sum of ``values`` in each group, exactly, int64 [num_groups].

    Args:
        groups: Of each value, below num_groups, [N].
        values: To add, [N].
        num_groups: How many there are.
        times: How often each value counts, [N]; None: once.
    """
    sums = np.zeros(num_groups, dtype=np.int64)
    for part in chunks(len(groups)):
        amounts = values[part].astype(np.int64)
        if times is not None:
            amounts *= times[part].astype(np.int64)
        np.add.at(sums, groups[part].astype(np.intp), amounts)
    return sums
