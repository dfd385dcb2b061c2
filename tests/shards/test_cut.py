from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def cut_at_once(sizes: list[int], *, max_bytes: int, max_samples: int) -> list[range]:
    """Say the same again, one sample at a time."""
    cuts: list[range] = []
    start, filled = 0, 0
    for place, size in enumerate(sizes):
        if place > start and (filled + size > max_bytes or place - start == max_samples):
            cuts.append(range(start, place))
            start, filled = place, 0
        filled += size
    return [*cuts, range(start, len(sizes))] if sizes else []


@given(
    st.lists(st.integers(0, 30), max_size=60),
    st.integers(1, 60),
    st.integers(1, 20),
    st.integers(1, 9),
)
def test_the_cut_is_the_same_however_many_samples_are_looked_at_together(
    sizes: list[int], num_bytes: int, samples: int, chunk: int
) -> None:
    wanted = cut_at_once(sizes, max_bytes=num_bytes, max_samples=samples)
    cut = partial(cut_shards, max_bytes=num_bytes, max_samples=samples, chunk=chunk)
    assert cut(np.array(sizes, dtype=np.int64)) == wanted
    listing = np.arange(len(sizes), dtype=np.uint32)[::-1]
    assert cut(np.array(sizes[::-1], dtype=np.int64), rows=listing) == wanted
