"""Best-fit-decreasing bin packing with a cap on a second count (images)."""

from collections.abc import Sequence

import numpy as np


def pack_best_fit(
    sizes: Sequence[int], *, capacity: int, images: Sequence[int] | None = None, max_images: int | None = None
) -> list[list[int]]:
    """Put items into bins, longest first, each into the fullest bin that has room.

    Best-fit-decreasing needs at most 11/9 of the least number of bins, plus a constant (Johnson, 1973).

    Args:
        sizes: Tokens of each item, 1 to ``capacity``.
        capacity: Tokens of a bin.
        images: Images of each item; needed with ``max_images``.
        max_images: Images of a bin. An item that alone has more gets a bin of its own.

    Returns:
        Bins in the order they were opened, each the indices of its items in the order they were put in. Equal sizes
        keep their order, so the result depends on the arguments alone.

    Raises:
        ValueError: An item is larger than a bin, or empty.
    """
    if len(sizes) and not 0 < min(sizes) <= max(sizes) <= capacity:
        raise ValueError(f"sizes must lie in 1..{capacity}, got {min(sizes)}..{max(sizes)}")
    order = np.argsort(-np.asarray(sizes, dtype=np.int64), kind="stable").tolist()
    open_bins = _OpenBins(capacity=capacity, max_images=max_images)
    for item in order:
        open_bins.put(item, size=sizes[item], num_images=0 if images is None else images[item])
    return open_bins.bins


class _OpenBins:
    """Bins by the room they have left."""

    def __init__(self, *, capacity: int, max_images: int | None) -> None:
        self.bins: list[list[int]] = []
        self._capacity, self._max_images = capacity, max_images
        self._num_images: list[int] = []
        self._by_room: dict[int, list[int]] = {}
        # Bit r is set while some bin has r tokens left: the tightest fit is one shift and one lowest bit away.
        self._rooms = 0

    def put(self, item: int, *, size: int, num_images: int) -> None:
        chosen, room = self._take(size, num_images)
        self.bins[chosen].append(item)
        self._num_images[chosen] += num_images
        if room > size:
            self._by_room.setdefault(room - size, []).append(chosen)
            self._rooms |= 1 << (room - size)

    def _take(self, size: int, num_images: int) -> tuple[int, int]:
        """Take the tightest bin that fits out of the table, or open one; return it and its room."""
        rooms = self._rooms >> size
        while rooms:
            room = size + (rooms & -rooms).bit_length() - 1
            for place, chosen in enumerate(self._by_room[room]):
                if self._max_images is None or self._num_images[chosen] + num_images <= self._max_images:
                    del self._by_room[room][place]
                    if not self._by_room[room]:
                        self._rooms ^= 1 << room
                    return chosen, room
            rooms &= rooms - 1
        self.bins.append([])
        self._num_images.append(0)
        return len(self.bins) - 1, self._capacity
