import numpy as np
import pytest

from shards.cut import cut_shards


@pytest.mark.parametrize(
    ("sizes", "samples", "num_bytes", "lengths"),
    [
        ([], 10, 100, []),
        ([1] * 7, 3, 100, [3, 3, 1]),
        ([50, 50, 1], 10, 100, [2, 1]),
        ([50, 51, 1], 10, 100, [1, 2]),
        ([500, 1, 500], 10, 100, [1, 1, 1]),
        ([0, 0, 0], 2, 1, [2, 1]),
    ],
)
def test_whichever_limit_comes_first_closes_a_shard(
    sizes: list[int], samples: int, num_bytes: int, lengths: list[int]
) -> None:
    cuts = cut_shards(np.array(sizes, dtype=np.int64), max_bytes=num_bytes, max_samples=samples)
    assert [len(cut) for cut in cuts] == lengths
    assert [place for cut in cuts for place in cut] == list(range(len(sizes)))
