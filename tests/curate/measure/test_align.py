import numpy as np
import pyarrow as pa
import pytest

from curate.contract.errors import SchemaError
from curate.contract.schemas import CLIP_MEASURES, ITEMS, MATCHES, check_schema, table_from_rows
from curate.measure.align import UNMATCHED, assign, match_documents


def test_the_sum_is_largest_not_each_image_s_best() -> None:
    # Both images like sentence 0 best; together they do better apart.
    assert assign(np.array([[0.9, 0.8], [0.9, 0.1]])).tolist() == [1, 0]


def test_sentences_are_used_once_while_they_last() -> None:
    rng = np.random.default_rng(0)
    assigned = assign(rng.random((5, 9)))
    assert len(set(assigned.tolist())) == 5


def test_images_left_over_go_to_their_best_sentence() -> None:
    similarity = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.7]])
    assert assign(similarity).tolist() == [0, 0, 1]


def test_one_sentence_takes_all() -> None:
    assert assign(np.array([[0.1], [0.5], [-0.2]])).tolist() == [0, 0, 0]


@pytest.mark.parametrize(("shape", "expected"), [((0, 3), []), ((2, 0), [UNMATCHED, UNMATCHED]), ((0, 0), [])])
def test_nothing_to_assign(shape: tuple[int, int], expected: list[int]) -> None:
    assert assign(np.zeros(shape, dtype=np.float16)).tolist() == expected


def test_ties_give_the_same_answer_every_time() -> None:
    ties = np.full((4, 4), 0.25, dtype=np.float16)
    first = assign(ties).tolist()
    assert sorted(first) == [0, 1, 2, 3]
    assert all(assign(ties.copy()).tolist() == first for _ in range(3))


def test_what_is_not_comparable_is_never_given() -> None:
    nan = np.nan
    similarity = np.array([[nan, -0.9, nan], [nan, -0.8, nan], [nan, nan, nan], [0.1, 0.2, 0.3]], dtype=np.float16)
    # Sentence 1 is the only one for images 0 and 1; image 2 has none.
    assigned = assign(similarity).tolist()
    assert assigned[:3] == [1, 1, UNMATCHED]
    assert assigned[3] in {0, 2}


def test_not_comparable_pairs_do_not_cost_a_good_match() -> None:
    similarity = np.array([[0.3, np.nan], [0.9, 0.2]])
    assert assign(similarity).tolist() == [0, 1]


def clip_table(*rows: tuple[str, int, list[float | None]]) -> pa.Table:
    return table_from_rows(
        [{"doc_id": d, "position": p, "embedding": [1.0], "similarity": sims} for d, p, sims in rows], CLIP_MEASURES
    )


def item_table(*rows: tuple[str, int, str]) -> pa.Table:
    return table_from_rows([{"doc_id": d, "position": p, "modality": m} for d, p, m in rows], ITEMS)


def test_documents_are_matched_apart() -> None:
    items = item_table(
        ("d1", 0, "text"),
        ("d1", 1, "image"),
        ("d1", 2, "text"),
        ("d1", 3, "image"),
        ("d2", 0, "image"),
        ("d2", 1, "text"),
    )
    clip = clip_table(("d1", 1, [0.25, 0.5]), ("d1", 3, [0.125, 0.75]), ("d2", 0, [0.5]))
    matches = match_documents(clip, items)
    check_schema(matches, MATCHES, where="test")
    assert matches.to_pylist() == [
        {"doc_id": "d1", "position": 1, "matched_position": 0, "matched_sim": 0.25},
        {"doc_id": "d1", "position": 3, "matched_position": 2, "matched_sim": 0.75},
        {"doc_id": "d2", "position": 0, "matched_position": 1, "matched_sim": 0.5},
    ]


def test_rejected_images_take_no_sentence() -> None:
    items = item_table(("d1", 0, "text"), ("d1", 1, "image"), ("d1", 2, "image"))
    assert match_documents(clip_table(("d1", 2, [0.5])), items).to_pylist() == [
        {"doc_id": "d1", "position": 2, "matched_position": 0, "matched_sim": 0.5}
    ]


def test_without_text_there_is_no_match() -> None:
    items = item_table(("d1", 0, "image"), ("d2", 0, "image"), ("d2", 1, "text"))
    matches = match_documents(clip_table(("d1", 0, []), ("d2", 0, [None])), items)
    assert (
        matches.select(["matched_position", "matched_sim"]).to_pylist()
        == [{"matched_position": None, "matched_sim": None}] * 2
    )


def test_no_images_give_no_rows() -> None:
    matches = match_documents(CLIP_MEASURES.empty_table(), item_table(("d1", 0, "text")))
    check_schema(matches, MATCHES, where="test")
    assert matches.num_rows == 0


def test_tables_in_several_chunks() -> None:
    items = item_table(("d1", 0, "text"), ("d1", 1, "image"), ("d2", 0, "text"), ("d2", 1, "image"))
    one, two = clip_table(("d1", 1, [0.5])), clip_table(("d2", 1, [0.25]))
    assert match_documents(pa.concat_tables([one, two]), items)["matched_sim"].to_pylist() == [0.5, 0.25]


def test_tables_of_different_documents_are_refused() -> None:
    with pytest.raises(SchemaError, match="d1: 1 text items"):
        match_documents(clip_table(("d1", 1, [0.5, 0.5])), item_table(("d1", 0, "text")))
