from pathlib import Path

import pytest

from curate.contract.errors import ShardError
from shards.sample import Sample, SampleText
from tests.train_bridge.conftest import image_item, write_set
from train_bridge.tasks.examples import Example, read_examples


def by_id(examples: list[Example]) -> dict[str, Example]:
    return {example.doc_id: example for example in examples}


def test_captions_have_an_image_and_references(questions_folder: str) -> None:
    examples, num_passed = read_examples([questions_folder], task="caption")
    assert (len(examples), num_passed) == (8, 16)
    assert by_id(examples)["caption1"].answers == ("a green field", "nothing but green")
    assert all(len(example.images) == 1 for example in examples)


def test_questions_have_answers_of_their_own_or_of_meta(questions_folder: str) -> None:
    examples, num_passed = read_examples([questions_folder], task="vqa")
    assert (len(examples), num_passed) == (16, 8)
    assert by_id(examples)["vqa0"].answers == ("red",)
    assert by_id(examples)["vqa1"].answers == ("green", "It is green")
    assert by_id(examples)["vqa1"].question == "Which colour?"


def test_choices_are_given_or_drawn_by_seed(questions_folder: str) -> None:
    examples, num_passed = read_examples([questions_folder], task="choice", seed=1)
    assert (len(examples), num_passed) == (8, 16)
    assert (by_id(examples)["choice3"].choices, by_id(examples)["choice3"].label) == (("4", "none"), 0)
    drawn = by_id(examples)["choice2"]
    assert len(set(drawn.choices)) == 4
    assert drawn.choices[drawn.label] == "3"
    assert read_examples([questions_folder], task="choice", seed=1)[0] == examples
    assert read_examples([questions_folder], task="choice", seed=2)[0] != examples


@pytest.mark.parametrize("meta", [{"choices": "no JSON", "label": 0}, {"choices": ["a"], "label": 1}, {"choices": 3}])
def test_meta_of_another_form_is_not_used(tmp_path: Path, meta: dict[str, object]) -> None:
    items = (SampleText("Why?", "user"), SampleText("So.", "assistant"))
    sample = Sample(doc_id="one", kind="text", source="s", url=None, items=items, meta=meta)
    (example,), _ = read_examples([write_set(tmp_path / "set", [sample])], task="choice")
    assert (example.choices, example.label) == (("So.",), 0)


def test_shards_without_an_example_are_an_error(tmp_path: Path) -> None:
    sample = Sample(doc_id="one", kind="pair", source="s", url=None, items=(image_item("red"), SampleText("red")))
    folder = write_set(tmp_path / "set", [sample])
    with pytest.raises(ShardError, match="no document is an example of vqa"):
        read_examples([folder], task="vqa")
