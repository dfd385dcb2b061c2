import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment

from shards.export.matching import TIE_BREAK, UNSCORED, number_items, order_by_sentence, similarity_matrix, solve
from tests.shards.export.conftest import make_document, store

FEW_VALUES = st.sampled_from([UNSCORED, 0.0, 0.1, 0.2, 0.3])
MATRICES = st.tuples(st.integers(1, 7), st.integers(1, 7)).flatmap(
    lambda shape: arrays(float, shape, elements=FEW_VALUES)
)


def test_items_are_numbered_in_texts() -> None:
    texts, images = number_items(store(make_document(4, "titi", matrix=[[0.1, 0.4], [0.3, 0.1]])).record)
    assert len(texts) == 2
    assert [(one.number, one.natural_text, one.matched_text) for one in images] == [(0, 1, 1), (1, 2, 0)]
    assert images[0].similarity == [0.1, 0.4]


def test_what_was_not_measured_is_the_least_cosine() -> None:
    _, scored = number_items(store(make_document(1, "iit", matrix=[[0.2], [float("nan")]])).record)
    assert similarity_matrix(scored, num_texts=1).tolist() == [[0.2], [UNSCORED]]
    _, unscored = number_items(store(make_document(1, "itt", is_scored=False)).record)
    assert unscored[0].matched_text is None
    assert similarity_matrix(unscored, num_texts=2).tolist() == [[UNSCORED, UNSCORED]]


@pytest.mark.parametrize("shape", [(2, 5), (5, 2), (1, 1)])
def test_each_sentence_is_given_once(shape: tuple[int, int]) -> None:
    assigned = solve(np.random.default_rng(0).random(shape))
    given_away = assigned[assigned >= 0]
    assert len(given_away) == len(set(given_away)) == min(shape)


@given(MATRICES)
def test_whoever_solves_again_finds_sentences_in_rising_order(matrix: np.ndarray) -> None:
    order, ordered = order_by_sentence(matrix)
    assert sorted(order) == list(range(len(matrix)))
    rows, columns = linear_sum_assignment(-ordered)
    assert list(columns) == sorted(columns)
    assert np.abs(ordered - matrix[order]).max() <= TIE_BREAK * 1.001
    best = -(-matrix)[linear_sum_assignment(-matrix)].sum()
    assert matrix[order][rows, columns].sum() == pytest.approx(best, abs=len(rows) * TIE_BREAK)


def test_equal_similarities_stay_in_natural_order() -> None:
    order, _ = order_by_sentence(np.full((3, 3), 0.25))
    assert list(order) == [0, 1, 2]
