import numpy as np

from curate.blend.mixing import mix_words

GOLDEN_GAMMA = 0x9E3779B97F4A7C15


def test_words_are_those_of_the_published_generator() -> None:
    """SplitMix64 is this finaliser over multiples of the golden gamma; its first outputs of seed 0 are well known."""
    states = np.array([GOLDEN_GAMMA * n % 2**64 for n in (1, 2, 3)], dtype=np.uint64)
    assert mix_words(states).tolist() == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
