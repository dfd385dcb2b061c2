"""Images with equal bytes, by their hashes."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.contract.schemas import EQUAL_IMAGES, IMAGE_HASHES

_WORD_BYTES = 8


def hash_words(hashes: pa.Array) -> npt.NDArray[np.uint64]:
    """Return fixed-size binaries [N] without nulls as big-endian words [N, width / 8]: they sort as the bytes do."""
    width = hashes.type.byte_width // _WORD_BYTES
    data = np.frombuffer(hashes.buffers()[1], dtype=">u8").reshape(-1, width)
    return data[hashes.offset : hashes.offset + len(hashes)].astype(np.uint64)


def find_equal(hashes: pa.Table) -> pa.Table:
    """Return EQUAL_IMAGES: every image whose hash occurs more than once, sorted by image.

    Args:
        hashes: IMAGE_HASHES.
    """
    rows = hashes.cast(IMAGE_HASHES).combine_chunks()
    if not rows.num_rows:
        return EQUAL_IMAGES.empty_table()
    images = rows["image"].to_numpy()
    words = hash_words(pa.concat_arrays(rows["image_id"].chunks))
    order = np.lexsort((images, *words.T[::-1]))
    sorted_words = words[order]
    starts_group = np.ones(len(order), dtype=np.bool_)
    starts_group[1:] = (sorted_words[1:] != sorted_words[:-1]).any(axis=1)
    group = np.cumsum(starts_group) - 1
    is_repeated = np.bincount(group)[group] > 1
    firsts = images[order][np.flatnonzero(starts_group)[group]]
    found, first = images[order][is_repeated], firsts[is_repeated]
    by_image = np.argsort(found)
    return pa.table([pa.array(found[by_image]), pa.array(first[by_image])], schema=EQUAL_IMAGES)
