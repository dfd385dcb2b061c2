"""What an earlier plan has drawn of an entry in the pass that it was in, so that another goes on without repeating it.

In that pass the rows that were seen stand first, rising, and those that are left come behind them in their order; the
new plan begins between the two. Later passes are as always.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """Of one entry."""

    epoch: int
    """Passes that were whole before."""
    places: npt.NDArray[np.integer]
    """[C]: which of the entry's rows were drawn in the pass after them, rising; may be mapped from a file."""
    num_rows: int
    """Of the entry."""

    @classmethod
    def of(cls, times: npt.NDArray[np.unsignedinteger]) -> Self:
        """Find out of how often each row of an entry was drawn, [N]; the rarest says how many passes are whole."""
        epoch = int(times.min()) if len(times) else 0
        return cls(epoch=epoch, places=np.flatnonzero(times > epoch).astype(np.int64), num_rows=len(times))

    @property
    def start(self) -> int:
        """Place in the entry's order, which runs on over passes, at which the new plan begins."""
        return self.epoch * self.num_rows + len(self.places)

    def place_of(self, row: int) -> int | None:
        """Return where in the entry's order a row stands that was seen in the pass; None if it was not."""
        rank = int(np.searchsorted(self.places, self.places.dtype.type(row)))  # of another type, all would be copied
        found = rank < len(self.places) and self.places[rank] == row
        return self.epoch * self.num_rows + rank if found else None

    def rows_of(self, inside: Rows, shuffle: Callable[[Rows], Rows]) -> Rows:
        """Return the rows that stand at places of the pass, [K].

        Args:
            inside: Places, from 0.
            shuffle: From places among the rows that are left to places among them as stored.
        """
        found, num_seen = np.empty(len(inside), dtype=np.int64), len(self.places)
        is_seen = inside < num_seen
        found[is_seen] = self.places[inside[is_seen]]
        left = shuffle(inside[~is_seen] - num_seen)
        found[~is_seen] = left + self._num_seen_before(left)
        return found

    def starts_left(self, starts: Rows) -> Rows:
        """Return where shards begin among the rows that are left."""
        return starts - np.searchsorted(self.places, starts.astype(self.places.dtype))

    def _num_seen_before(self, left: Rows) -> Rows:
        """Return how many rows that were seen stand before those at ``left`` [K] of the rest, by halving."""
        low, high = np.zeros(len(left), dtype=np.int64), np.full(len(left), len(self.places), dtype=np.int64)
        while (open_ := low < high).any():
            middle = (low[open_] + high[open_]) // 2
            is_before = self.places[middle].astype(np.int64) - middle <= left[open_]
            low[open_] = np.where(is_before, middle + 1, low[open_])
            high[open_] = np.where(is_before, high[open_], middle)
        return low
