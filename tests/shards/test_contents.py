from pathlib import Path

import numpy as np
import pytest

from shards.contents import SetContents, Spread
from shards.reader import read_index
from tests.shards.contents import contents_of


@pytest.mark.parametrize("values", [[3], [1, 2], [5, 5, 5, 1], [0, 10, 20, 31], list(range(1000, 3001, 7))])
def test_least_most_and_median_are_those_of_all_values(values: list[int]) -> None:
    spread = Spread()
    for part in np.array_split(np.array(values), 3):
        spread.add(part)
    assert str(spread) == f"{min(values):,} to {max(values):,}, median {int(np.median(values)):,}"


def test_shard_by_shard_is_the_same_as_all_at_once(shard_set: Path) -> None:
    index = read_index(str(shard_set))
    parts = SetContents()
    for name in index["shard"].unique().to_pylist():
        parts.add(index.filter(np.array(index["shard"].to_pylist()) == name))
    whole = contents_of(index)
    assert (parts.samples, parts.images, parts.words) == (whole.samples, whole.images, whole.words)
    assert str(parts.sides_px) == str(whole.sides_px)
    assert parts.count_documents() == whole.count_documents() == len(set(index["doc_id"].to_pylist()))
    assert parts.num_shards == whole.num_shards == 2
    assert parts.max_images == 12
