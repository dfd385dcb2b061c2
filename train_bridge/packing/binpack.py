"""Fills packs: the sample that waits longest opens a pack, and others complete it to the token where they can.

Best-fit-decreasing over a window spends the short samples on the longest ones and leaves packs that nothing completes.
Here samples enter in their order, so that each pack is a fair draw of the data, until one or two samples out of all
that wait fill the rest (the idea of Gupta and Ho's minimum bin slack, 1999, without its search). What waits for the
next window is then like the data too, and never old. Where nothing may wait, give the longest first.

Two sizes that sum to the room are found by arithmetic on integers as sets of bits. One has bit s for each size s that
waits, another bit C - s; the second, moved by C - room, is the first mirrored at the room, and the bits of both are the
sizes that another one completes.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

MAX_SLACK = 64
"""Tokens that two may leave, if one alone leaves more."""
NUM_FRONT = 128
"""Samples, by age, one of which is of the two that fill a pack to the token while it has more room than two need."""
LAST_TWO_SHARE = 0.34
"""Of a pack: with less room than this, two samples are the last."""
SPREAD = 2_654_435_761
"""Knuth's multiplier: spreads numbers over a range."""


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
        self._last_two = int(LAST_TWO_SHARE * capacity)
        self._array = np.asarray(sizes, dtype=np.int64)
        self._is_gone = bytearray(len(sizes))
        self._by_size: dict[int, list[int]] = {}
        for item in range(len(sizes) - 1, -1, -1):  # the oldest ends up last, where it is popped
            self._by_size.setdefault(sizes[item], []).append(item)
        self._waits = _bits(self._array, capacity=capacity)
        self._mirrored = _bits(capacity - self._array, capacity=capacity)
        self._head = self._front_end = 0
        self._front = 0
        self.num_left = len(sizes)

    def fill_pack(self) -> list[int]:
        first = self._head = self._is_gone.find(0, self._head)
        if first >= self._front_end:
            self._renew_front(first)
        sizes, images = self._sizes, self._images
        pack, room, oldest = [first], self._capacity - sizes[first], first
        room_images = self._max_images - images[first] if images is not None else 0
        self._take(first)
        while room > self._last_two and (following := self._find_oldest(room, room_images, oldest + 1)) is not None:
            oldest = following
            if last := self._find_exact(room, room_images, near=sizes[oldest]):
                break
            self._take(oldest)
            pack.append(oldest)
            room -= sizes[oldest]
            room_images -= images[oldest] if images is not None else 0
        else:
            last = self._find_best(room, room_images, near=first * SPREAD % room) if room else ()
        for item in last:
            self._take(item)
        return [*pack, *last]

    def _renew_front(self, first: int) -> None:
        """Note the sizes of the oldest items; those taken meanwhile wait no longer, which the other set tells."""
        oldest = first + np.flatnonzero(np.frombuffer(self._is_gone, dtype=np.uint8)[first:] == 0)[:NUM_FRONT]
        self._front = _bits(self._array[oldest], capacity=self._capacity)
        self._front_end = int(oldest[len(oldest) // 2]) + 1  # half of them will be gone then

    def _find_oldest(self, room: int, room_images: int, start: int) -> int | None:
        """Return the oldest item from ``start`` on that fits."""
        sizes, images = self._sizes, self._images
        item: int = start - 1
        while (item := self._is_gone.find(0, item + 1)) >= 0:
            if sizes[item] <= room and (images is None or images[item] <= room_images):
                return item
        return None

    def _find_exact(self, room: int, room_images: int, *, near: int) -> tuple[int, ...]:
        """Return one or two items of together ``room``, if there are any.

        Of two, one is as long as ``near``, or nearly: a fair draw, where the shortest would be used up.
        """
        if self._waits >> room & 1 and (one := self._oldest_of(room, room_images)) is not None:
            return (one,)
        pairs = self._waits & self._mirrored >> self._capacity - room
        if room > self._last_two:
            pairs &= self._front
        if not pairs:
            return ()
        above = pairs >> near
        size = near + (above & -above).bit_length() - 1 if above else pairs.bit_length() - 1
        first = self._oldest_of(size, room_images)
        if first is None:
            return ()
        left = room_images - self._images[first] if self._images is not None else 0
        second = self._oldest_of(room - size, left, other=first)
        return () if second is None else (first, second)

    def _find_best(self, room: int, room_images: int, *, near: int) -> tuple[int, ...]:
        """Return the one or two items that leave the least room, or none if none fits."""
        one = self._find_largest(room, room_images)
        if one is None:
            return ()
        limit = min(room - self._sizes[one], MAX_SLACK)
        partners = self._mirrored >> self._capacity - room
        for step in (1, 2, 4):
            partners |= partners >> step  # those that leave 0 to 7 tokens
        for start in range(0, limit, 8):
            if not self._waits & partners >> start:
                continue
            for slack in range(start, min(start + 8, limit)):
                if pair := self._find_exact(room - slack, room_images, near=near):
                    return pair
        return (one,)

    def _find_largest(self, room: int, room_images: int) -> int | None:
        """Return the largest item, the oldest of its size, that fits."""
        fitting = self._waits & (2 << room) - 1
        while fitting:
            size = fitting.bit_length() - 1
            item = self._oldest_of(size, room_images)
            if item is not None:
                return item
            fitting ^= 1 << size
        return None

    def _oldest_of(self, size: int, room_images: int, *, other: int | None = None) -> int | None:
        """Return the oldest item of a size that fits by its images and is not ``other``."""
        images = self._images
        for item in reversed(self._by_size[size]):
            if item != other and (images is None or images[item] <= room_images):
                return item
        return None

    def _take(self, item: int) -> None:
        size = self._sizes[item]
        same = self._by_size[size]
        if same[-1] == item:
            same.pop()
        else:
            same.remove(item)
        if not same:
            self._waits ^= 1 << size
            self._mirrored ^= 1 << self._capacity - size
        self._is_gone[item] = 1
        self.num_left -= 1


def _bits(sizes: npt.NDArray[np.int64], *, capacity: int) -> int:
    """Return the integer that has a bit for each of some sizes, 0 to ``capacity``."""
    found = np.zeros(capacity + 1, dtype=np.bool_)
    found[sizes] = True
    return int.from_bytes(np.packbits(found, bitorder="little").tobytes(), "little")
