import numpy as np
import pytest

from curate.contract.errors import SchemaError
from curate.dedup.similar import KeptImages, cosine, propose_within, unit_vectors

PLANE = unit_vectors(np.array([[1, 0], [1, 0.1], [0, 1], [1, 0]], dtype=np.float16))[0]


def test_rows_that_are_near_are_proposed_in_rising_order() -> None:
    kept = KeptImages(threshold_cosine=0.99, num_threads=1)
    assert [found.tolist() for found in kept.propose(PLANE)] == [[], [], [], []]
    kept.add(PLANE[:2])
    kept.add(PLANE[2:])
    assert [found.tolist() for found in kept.propose(PLANE)] == [[0, 1, 3], [0, 1, 3], [2], [0, 1, 3]]
    assert kept.vector(2).tolist() == [0, 1]


def test_nothing_asked_or_added() -> None:
    kept = KeptImages(threshold_cosine=0.9, num_threads=1)
    kept.add(PLANE[:0])
    assert kept.propose(PLANE[:0]) == []
    kept.add(PLANE)
    assert kept.propose(PLANE[:0]) == []
    kept.add(np.zeros((2, 0), dtype=np.float32))
    assert [found.tolist() for found in kept.propose(np.zeros((2, 0), dtype=np.float32))] == [[], []]


def test_embeddings_of_another_model_are_refused() -> None:
    kept = KeptImages(threshold_cosine=0.9, num_threads=1)
    kept.add(PLANE)
    with pytest.raises(SchemaError, match="width 3 after width 2"):
        kept.propose(np.ones((1, 3), dtype=np.float32))


def test_within_a_block_only_earlier_rows_are_proposed() -> None:
    assert [found.tolist() for found in propose_within(PLANE, threshold_cosine=0.99)] == [[], [0], [], [0, 1]]


def test_cosine_is_the_same_either_way_and_in_any_company() -> None:
    rng = np.random.default_rng(0)
    vectors, _ = unit_vectors(rng.normal(size=(64, 96)).astype(np.float16))
    assert cosine(vectors[3], vectors[7]) == cosine(vectors[7].copy(), vectors[3].copy())
    assert cosine(vectors[3], vectors[7]) == pytest.approx(float(vectors[3] @ vectors[7]), abs=1e-6)


def test_embeddings_become_unit_vectors_again() -> None:
    vectors, usable = unit_vectors(np.array([[3, 4], [0, 0], [np.nan, 1], [1e-3, 0], [np.inf, 0]], dtype=np.float16))
    assert usable.tolist() == [True, False, False, True, False]
    assert vectors[[0, 3]] == pytest.approx(np.array([[0.6, 0.8], [1, 0]]))
    assert vectors[[1, 2, 4]].tolist() == [[0, 0]] * 3
    assert vectors.dtype == np.float32
