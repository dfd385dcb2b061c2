import numpy as np

from curate.blend.queues import build_queue, hash_doc_ids

IDS = [f"doc-{number}" for number in range(50)]
ROWS = np.arange(50, dtype=np.uint32)
ONES = np.ones(50, dtype=np.int64)


def test_every_sample_comes_once_before_any_comes_again() -> None:
    queue = build_queue(ROWS, ONES, hash_doc_ids(IDS), seed=0, amount=120, max_repeats=4)
    assert len(queue.rows) == 150
    for number in range(3):
        part = slice(50 * number, 50 * number + 50)
        assert sorted(queue.rows[part].tolist()) == ROWS.tolist()
        assert set(queue.repeats(part.start, part.stop).tolist()) == {number}


def test_passes_and_seeds_differ_in_order() -> None:
    hashes = hash_doc_ids(IDS)
    queue = build_queue(ROWS, ONES, hashes, seed=0, amount=100, max_repeats=2)
    other = build_queue(ROWS, ONES, hashes, seed=1, amount=50, max_repeats=2)
    assert queue.rows[:50].tolist() != queue.rows[50:].tolist()
    assert queue.rows[:50].tolist() != other.rows.tolist()
    assert queue.rows[:50].tolist() != ROWS.tolist()


def test_no_more_passes_than_allowed() -> None:
    queue = build_queue(ROWS, ONES, hash_doc_ids(IDS), seed=0, amount=10**6, max_repeats=2)
    assert len(queue.rows) == 100


def test_a_sample_keeps_its_rank_when_others_leave() -> None:
    hashes = hash_doc_ids(IDS)
    whole = build_queue(ROWS, ONES, hashes, seed=3, amount=50, max_repeats=1).rows.tolist()
    half = build_queue(ROWS[::2], ONES, hashes, seed=3, amount=25, max_repeats=1).rows.tolist()
    assert half == [row for row in whole if row % 2 == 0]


def test_the_order_is_frozen() -> None:
    queue = build_queue(ROWS[:8], ONES, hash_doc_ids(IDS), seed=0, amount=8, max_repeats=1)
    assert queue.rows.tolist() == [0, 3, 1, 5, 6, 2, 4, 7]


def test_nothing_to_draw_is_an_empty_queue() -> None:
    nothing = np.empty(0, dtype=np.uint32)
    assert len(build_queue(nothing, ONES, hash_doc_ids([]), seed=0, amount=5, max_repeats=1).rows) == 0


def test_equal_hashes_stay_in_the_order_of_their_documents() -> None:
    by_doc_id = np.array([3, 0, 2, 1], dtype=np.uint32)
    equal = np.full(4, 7, dtype=np.uint64)
    assert build_queue(by_doc_id, ONES, equal, seed=0, amount=4, max_repeats=1).rows.tolist() == by_doc_id.tolist()


def test_sizes_go_with_their_samples() -> None:
    sizes = np.arange(50, dtype=np.uint32)
    queue = build_queue(ROWS[10:], sizes, hash_doc_ids(IDS), seed=0, amount=2000, max_repeats=3)
    assert queue.sizes.tolist() == queue.rows.tolist()
    assert len(queue.rows) == 80  # 1180 in a pass
