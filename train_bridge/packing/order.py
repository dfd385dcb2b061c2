"""A seeded permutation of 0..N-1 that is computed where it is needed, so that no array of N numbers is ever held."""

import numpy as np
import numpy.typing as npt

from curate.blend.mixing import Words, mix_words
from curate.contract.ids import seed_for

ROUNDS = 8

Positions = npt.NDArray[np.int64]


def shuffled_rows(positions: Positions, *, num_rows: int, seed: int, epoch: int) -> Positions:
    """Return the rows that stand at ``positions`` of the epoch's permutation of 0..num_rows-1.

    A Feistel network permutes the numbers below the next power of four, whatever its round function; values outside
    the range are sent through again until they fall inside it ("cycle walking", Black and Rogaway, 2002), which keeps
    it a permutation. Rounds mix with the finaliser of SplitMix64 (Steele et al., 2014).

    Args:
        positions: [K], each in 0..num_rows-1.
        num_rows: N.
        seed: Of the run.
        epoch: Each epoch has a permutation of its own.
    """
    half_bits = max(1, -(-(num_rows - 1).bit_length() // 2))
    keys = [np.uint64(seed_for(seed, f"epoch {epoch} round {i}")) for i in range(ROUNDS)]
    values = _permute(positions.astype(np.uint64), half_bits=half_bits, keys=keys)
    outside = np.flatnonzero(values >= num_rows)
    while outside.size:
        values[outside] = _permute(values[outside], half_bits=half_bits, keys=keys)
        outside = outside[values[outside] >= num_rows]
    return values.astype(np.int64)


def _permute(values: Words, *, half_bits: int, keys: list[np.uint64]) -> Words:
    shift, mask = np.uint64(half_bits), np.uint64((1 << half_bits) - 1)
    left, right = values >> shift, values & mask
    for key in keys:
        left, right = right, left ^ (mix_words(right ^ key) & mask)
    return (left << shift) | right
