import numpy as np
import pyarrow as pa
import pytest

from curate.contract.errors import SchemaError
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


def match(*documents: tuple[list[int], list[list[float | None] | None]]) -> list[tuple[int, int]]:
    """Match documents given as positions of texts and similarities of images: (position, place) of each image."""
    owners = [number for number, (_, images) in enumerate(documents) for _ in images]
    similarity = pa.array([sims for _, images in documents for sims in images], pa.list_(pa.float16()))
    texts = pa.array([positions for positions, _ in documents], pa.list_(pa.int32()))
    positions, places = match_documents(np.array(owners, dtype=np.int64), similarity, texts)
    return list(zip(positions.tolist(), places.tolist(), strict=True))


def test_documents_are_matched_apart() -> None:
    # Both images of the first like its second sentence best: one of them has to take the other.
    found = match(([0, 2], [[0.25, 0.5], [0.125, 0.75]]), ([], []), ([1], [[0.5]]), ([3, 4], [[0.5, 0.25]]))
    assert found == [(0, 0), (2, 1), (1, 0), (3, 0)]


def test_an_image_that_is_not_asked_about_takes_no_sentence() -> None:
    assert match(([0, 3], [[0.9, 0.1], [0.8, 0.7]])) == [(0, 0), (3, 1)]
    assert match(([0, 3], [[0.8, 0.7]])) == [(0, 0)]


def test_without_text_or_scores_there_is_no_match() -> None:
    none = (UNMATCHED, UNMATCHED)
    assert match(([], [[]]), ([1], [[None]]), ([1], [None]), ([2], [[0.5]])) == [none, none, none, (2, 0)]


def test_an_image_without_scores_leaves_those_of_its_document_as_they_are() -> None:
    found = match(([0, 2], [None, [0.5, 0.9], None]), ([4], [None, [0.1]]))
    assert found == [(UNMATCHED, UNMATCHED), (2, 1), (UNMATCHED, UNMATCHED), (UNMATCHED, UNMATCHED), (4, 0)]


def test_no_images_give_no_rows() -> None:
    assert match(([0], []), ([], [])) == []
    assert match() == []


def test_slices_of_longer_arrays_are_matched_as_they_stand() -> None:
    documents = np.array([0, 0, 1], dtype=np.int64)
    similarity = pa.array([[0.9], [0.9, 0.2], [0.9, 0.8], [0.5]], pa.list_(pa.float16())).slice(1)
    texts = pa.array([[7], [0, 2], [1]], pa.list_(pa.int32())).slice(1)
    positions, places = match_documents(documents, similarity, texts)
    assert (positions.tolist(), places.tolist()) == ([0, 2, 1], [0, 1, 0])


def test_many_documents_are_each_matched_as_if_alone() -> None:
    rng = np.random.default_rng(3)
    documents: list[tuple[list[int], list[list[float | None] | None]]] = []
    for _ in range(40):
        positions = sorted(rng.choice(20, size=rng.integers(0, 5), replace=False).tolist())
        images = [rng.random(len(positions)).astype(np.float16).tolist() for _ in range(rng.integers(0, 6))]
        documents.append((positions, [None if rng.random() < 0.2 else one for one in images]))
    assert match(*documents) == [pair for document in documents for pair in match(document)]


def test_similarities_to_other_texts_are_refused() -> None:
    with pytest.raises(SchemaError, match="image 1: 2 similarities, but 1 text items"):
        match(([0], [[0.5], [0.5, 0.5]]))
    with pytest.raises(SchemaError, match="image 0: 1 similarities, but 0 text items"):
        match(([], [[0.5]]))
