"""Scrambles 64-bit words: what permutations of samples are made of."""

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]

_FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def mix_words(words: Words) -> Words:
    """Return the words [N] through the finaliser of SplitMix64 (Steele, Lea and Flood 2014), a bijection.

    Products overflow, as they are meant to.
    """
    words = (words ^ (words >> np.uint64(30))) * _FACTORS[0]
    words = (words ^ (words >> np.uint64(27))) * _FACTORS[1]
    return words ^ (words >> np.uint64(31))
