from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shards.ranges import MAX_GAP_BYTES, MAX_RANGE_BYTES, merge_ranges


def row(shard: str, offset: int, num_bytes: int) -> dict[str, Any]:
    return {"shard": shard, "offset": offset, "num_bytes": num_bytes}


def test_neighbours_are_one_range_whatever_their_order() -> None:
    (found,) = merge_ranges([row("a", 100, 50), row("a", 0, 100), row("a", 150, 10)])
    assert (found.shard, found.start, found.stop, found.members) == ("a", 0, 160, (1, 0, 2))


def test_far_apart_or_in_other_shards_they_are_not() -> None:
    far = 100 + MAX_GAP_BYTES
    found = merge_ranges([row("a", 0, 100), row("a", far, 1), row("a", far + 2 + MAX_GAP_BYTES, 1), row("b", 0, 100)])
    assert [(part.shard, part.members) for part in found] == [("a", (0, 1)), ("a", (2,)), ("b", (3,))]


def test_a_range_does_not_grow_without_end() -> None:
    half = MAX_RANGE_BYTES // 2
    found = merge_ranges([row("a", 0, half), row("a", half, half), row("a", 2 * half, 1), row("b", 0, 3 * half)])
    assert [(part.start, part.stop) for part in found] == [(0, 2 * half), (2 * half, 2 * half + 1), (0, 3 * half)]


ROWS = st.builds(row, st.sampled_from("ab"), st.integers(0, 4 * MAX_RANGE_BYTES), st.integers(1, 2 * MAX_GAP_BYTES))


@given(st.lists(ROWS, max_size=30))
def test_every_sample_lies_in_one_range(rows: list[dict[str, Any]]) -> None:
    found = merge_ranges(rows)
    assert sorted(place for part in found for place in part.members) == list(range(len(rows)))
    for part in found:
        mine = [rows[place] for place in part.members]
        assert {one["shard"] for one in mine} == {part.shard}
        assert part.start == min(one["offset"] for one in mine)
        assert part.stop == max(one["offset"] + one["num_bytes"] for one in mine)
