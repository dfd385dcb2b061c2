import math

import pytest

from train_bridge.tasks.cider import cider_d

CATS = ["a black cat sits on a mat", "the cat is on the mat"]
DOGS = ["two dogs run through tall grass"]


def test_a_reference_itself_scores_ten_where_it_is_the_only_one() -> None:
    assert cider_d([CATS[0], DOGS[0]], [CATS[:1], DOGS]) == pytest.approx([10.0, 10.0])


def test_a_score_by_hand() -> None:
    # Two images; of "red cat" against "red dog", the word "red" is in one image's references, "cat" in none.
    weight = math.log(2)
    unigrams = weight**2 / (math.sqrt(2) * weight) ** 2
    assert cider_d(["red cat", "x"], [["red dog"], ["y"]])[0] == pytest.approx(10 * unigrams / 4)


def test_the_penalty_for_length_is_a_gaussian() -> None:
    found = cider_d(["red dog runs", "x"], [["red dog"], ["y"]])[0]
    weight = math.log(2)
    unigrams = 2 / (math.sqrt(3) * math.sqrt(2))
    bigrams = 1 / math.sqrt(2)
    assert weight > 0
    assert found == pytest.approx(10 * math.exp(-1 / 72) * (unigrams + bigrams) / 4)


def test_repeating_a_word_does_not_pay() -> None:
    honest, repeated, _ = cider_d(["cat on mat", "cat cat cat cat", "x"], [CATS[:1], CATS[:1], DOGS])
    assert repeated < honest


def test_the_score_is_the_mean_over_references() -> None:
    both, first, second = (cider_d([CATS[0], "x"], [refs, DOGS])[0] for refs in (CATS, CATS[:1], CATS[1:]))
    assert min(first, second) < both < max(first, second)


@pytest.mark.parametrize("caption", ["", "!?", "unheard of"])
def test_what_shares_nothing_scores_nothing(caption: str) -> None:
    assert cider_d([caption, "x"], [CATS, DOGS])[0] == 0.0


def test_case_and_punctuation_do_not_matter() -> None:
    assert cider_d(["A black CAT, sits on a mat!", "x"], [CATS[:1], DOGS])[0] == pytest.approx(10.0)


def test_words_that_all_references_have_weigh_nothing() -> None:
    assert cider_d(["cat", "cat"], [["cat"], ["cat"]]) == [0.0, 0.0]
