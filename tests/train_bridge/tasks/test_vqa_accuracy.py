import pytest

from train_bridge.tasks.vqa_accuracy import normalise_answer, vqa_accuracy


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("The two dogs.", "2 dogs"), ("  A  Cat!", "cat"), ("", ""), ("it's", "it s"), ("theatre", "theatre")],
)
def test_answers_are_normalised(text: str, wanted: str) -> None:
    assert normalise_answer(text) == wanted


@pytest.mark.parametrize(("num_agreeing", "wanted"), [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0)])
def test_ten_people(num_agreeing: int, wanted: float) -> None:
    truths = ["yes"] * num_agreeing + [f"other {i}" for i in range(10 - num_agreeing)]
    assert vqa_accuracy("Yes.", truths) == pytest.approx(wanted)


def test_a_few_answers_are_ways_to_say_one_thing() -> None:
    assert vqa_accuracy("red", ["crimson", "Red"]) == 1.0
    assert vqa_accuracy("blue", ["red"]) == 0.0
