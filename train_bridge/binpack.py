"""Fills packs: the sample that waits longest opens a pack, and others complete it to the token where they can.

Best-fit-decreasing over a window spends the short samples on the longest ones and leaves packs that nothing completes.
Here samples enter in their order, so that each pack is a fair draw of the data, until one or two samples out of all
that wait fill the rest (the idea of Gupta and Ho's minimum bin slack, 1999, without its search). What waits for the
next window is then like the data too, and never old. Where nothing may wait, give the longest first.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import numpy as np

NUM_TRIES = 10
"""Samples, by age, that are tried as one of the two that complete a pack."""
SLACK_SHARE = 0.002
"""Of a pack: less room than this is full."""
LAST_TWO_SHARE = 0.34
"""Of a pack: with less room than this, two samples are the last."""

NUM_LEVELS = 6
"""Items are also listed without those above 1/2, 1/4, ... of a pack, so that those too large are not looked at."""


def fill_packs(
    sizes: Sequence[int], *, capacity: int, images: Sequence[int] | None = None, max_images: int | None = None
) -> list[list[int]]:
    """Put items into packs.

    Args:
        sizes: Tokens of each item, 1 to ``capacity``; the oldest first.
        capacity: Tokens of a pack.
        images: Images of each item; needed with ``max_images``.
        max_images: Images of a pack. An item that alone has more gets a pack of its own.

    Returns:
        The indices of the items of each pack, in the order in which they were put in; a function of the arguments.

    Raises:
        ValueError: An item is larger than a pack, or empty.
    """
    if len(sizes) and not 0 < min(sizes) <= max(sizes) <= capacity:
        raise ValueError(f"sizes must lie in 1..{capacity}, got {min(sizes)}..{max(sizes)}")
    pool = _Pool(sizes, capacity=capacity, images=images if max_images is not None else None, max_images=max_images)
    packs: list[list[int]] = []
    while pool.num_left:
        packs.append(pool.fill_pack())
    return packs


class _Pool:
    """Items by age and by size."""

    def __init__(
        self, sizes: Sequence[int], *, capacity: int, images: Sequence[int] | None, max_images: int | None
    ) -> None:
        self._sizes, self._images = sizes, images
        self._max_images = max_images or 0
        self._capacity = capacity
        self._slack, self._last_two = int(SLACK_SHARE * capacity), int(LAST_TWO_SHARE * capacity)
        array = np.asarray(sizes, dtype=np.int64)
        self._hidden = [bytearray((array > capacity >> level).tobytes()) for level in range(NUM_LEVELS)]
        self._is_gone = self._hidden[0]
        self._head = 0
        self._by_size: dict[int, list[int]] = {}
        for item in range(len(sizes) - 1, -1, -1):  # the oldest ends up last, where it is popped
            self._by_size.setdefault(sizes[item], []).append(item)
        self._distinct = sorted(self._by_size)
        self.num_left = len(sizes)

    def fill_pack(self) -> list[int]:
        while self._is_gone[self._head]:
            self._head += 1
        first = self._head
        self._take(first)
        pack, room, start = [first], self._capacity - self._sizes[first], first + 1
        room_images = self._max_images - self._images[first] if self._images is not None else 0
        while room > 0:
            slack, last, following = self._find_last(room, room_images, start)
            is_last = slack <= self._slack or room <= self._last_two or following is None
            for item in last if is_last or following is None else (following,):
                self._take(item)
                pack.append(item)
                room -= self._sizes[item]
                room_images -= self._images[item] if self._images is not None else 0
            if is_last or following is None:
                break
            start = following + 1
        return pack

    def _find_last(self, room: int, room_images: int, start: int) -> tuple[int, tuple[int, ...], int | None]:
        """Find one or two items that leave the least room.

        Returns:
            The room they leave, the items, and the oldest item from ``start`` on that fits, if it was looked for.
        """
        one = self._best_fit(room, room_images, other=-1)
        if one < 0:
            return room, (), None
        sizes, images = self._sizes, self._images
        hidden = self._hidden[min(NUM_LEVELS - 1, (self._capacity // room).bit_length() - 1)]
        distinct, by_size = self._distinct, self._by_size
        best, oldest = room - sizes[one], None
        found: tuple[int, ...] = (one,)
        num_left_to_try = NUM_TRIES if best > self._slack else 0
        item = start - 1
        while num_left_to_try and (item := hidden.find(0, item + 1)) >= 0:
            rest = room - sizes[item]
            if rest < 0 or (images is not None and images[item] > room_images):
                continue
            if oldest is None:
                oldest = item
            num_left_to_try -= 1
            if images is None:  # most do not help, which is seen without a call
                place = bisect_right(distinct, rest) - 1
                if place >= 0 and distinct[place] == sizes[item] and len(by_size[sizes[item]]) == 1:
                    place -= 1  # it is the only one of its size
                if rest - (distinct[place] if place >= 0 else 0) >= best:
                    continue
            other = self._best_fit(rest, room_images - images[item] if images is not None else 0, other=item)
            slack = rest if other < 0 else rest - sizes[other]
            if slack < best:
                best, found = slack, (item,) if other < 0 else (item, other)
                if best <= self._slack:
                    break
        return best, found, oldest

    def _best_fit(self, room: int, room_images: int, *, other: int) -> int:
        """Return the largest item, the oldest of its size, that fits and is not ``other``; -1 if there is none."""
        distinct, images = self._distinct, self._images
        for place in range(bisect_right(distinct, room) - 1, -1, -1):
            same = self._by_size[distinct[place]]
            if images is None:
                if same[-1] != other:
                    return same[-1]
                if len(same) > 1:
                    return same[-2]
                continue
            for item in reversed(same):
                if item != other and images[item] <= room_images:
                    return item
        return -1

    def _take(self, item: int) -> None:
        same = self._by_size[self._sizes[item]]
        if same[-1] == item:
            same.pop()
        else:
            same.remove(item)
        if not same:
            del self._distinct[bisect_left(self._distinct, self._sizes[item])]
        for hidden in self._hidden:
            hidden[item] = 1
        self.num_left -= 1
