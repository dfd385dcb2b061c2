"""Sorts 64-bit words, and parts rows by label, with little memory beside the result."""

import numpy as np
import numpy.typing as npt

from curate.blend.chunks import Rows, chunks
from curate.blend.mixing import Words

NUM_BUCKETS = 16
_BUCKET_SHIFT = np.uint64(60)


def sort_words(words: Words) -> Rows:
    """Return the places of the words [N] in rising order; equal words stay in theirs.

    They are sorted one sixteenth at a time, by their first four bits: well-mixed words need about 7 bytes each beside
    themselves, others up to 25.
    """
    buckets = np.empty(len(words), dtype=np.uint8)
    for part in chunks(len(words)):
        buckets[part] = words[part] >> _BUCKET_SHIFT
    order, start = np.empty(len(words), dtype=np.uint32), 0
    for bucket in range(NUM_BUCKETS):
        places = np.flatnonzero(buckets == bucket)
        order[start : start + len(places)] = places[np.argsort(words[places], kind="stable")]
        start += len(places)
    return order


def part_rows(
    rows: Rows, groups: npt.NDArray[np.uint16], label_of_group: npt.NDArray[np.int64], num_labels: int
) -> list[Rows]:
    """Return the rows of each label, in their order.

    Args:
        rows: To part, every row once, [N].
        groups: Of each row, [N].
        label_of_group: 0..num_labels - 1, [groups].
        num_labels: How many there are.
    """
    sizes = np.zeros(num_labels, dtype=np.int64)
    for part in chunks(len(groups)):
        sizes += np.bincount(label_of_group[groups[part]], minlength=num_labels)
    ends, parted = np.cumsum(sizes), np.empty(len(rows), dtype=np.uint32)
    places = ends - sizes
    for part in chunks(len(rows)):
        labels = label_of_group[groups[rows[part]]]
        found = np.bincount(labels, minlength=num_labels)
        steps = np.arange(len(labels)) - np.repeat(np.cumsum(found) - found, found)
        parted[np.repeat(places, found) + steps] = rows[part][np.argsort(labels, kind="stable")]
        places += found
    return np.split(parted, ends[:-1])
