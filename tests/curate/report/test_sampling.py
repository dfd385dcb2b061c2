import random

from curate.report.sampling import SmallestHashes, order_by_rank, sample_rank

IDS = [f"{i:016x}" for i in range(200)]


def sample(ids: list[str]) -> set[str]:
    bottom = SmallestHashes()
    for doc_id in ids:
        bottom.offer(doc_id, {("kind", doc_id[-1]): 2, ("all",): 5})
    return bottom.members()


def test_the_smallest_hashes_win_in_every_group() -> None:
    found = sample(IDS)
    for digit in "0123456789abcdef":
        group = order_by_rank(doc_id for doc_id in IDS if doc_id[-1] == digit)
        assert set(group[:2]) <= found
    assert set(order_by_rank(IDS)[:5]) <= found
    assert len(found) <= 16 * 2 + 5


def test_the_order_of_offers_does_not_matter() -> None:
    shuffled = list(IDS)
    random.Random(1).shuffle(shuffled)
    assert sample(shuffled) == sample(IDS)


def test_rank_is_a_hash_not_the_id() -> None:
    assert order_by_rank(IDS) != IDS
    assert sample_rank("a\udcff") != sample_rank("a")


def test_samples_of_parts_merge_into_the_sample_of_all() -> None:
    merged = SmallestHashes()
    for start in (50, 0, 150, 100):
        own = SmallestHashes()
        for doc_id in IDS[start : start + 50]:
            own.offer(doc_id, {("kind", doc_id[-1]): 2, ("all",): 5})
        merged.merge(own)
    assert merged.members() == sample(IDS)


def test_a_group_that_only_one_sample_knows_survives_the_merge() -> None:
    one, other = SmallestHashes(), SmallestHashes()
    one.offer("a", {("left",): 1})
    other.offer("b", {("right",): 1})
    one.merge(other)
    one.offer("c", {("right",): 1})
    assert one.members() == {"a", order_by_rank(["b", "c"])[0]}
