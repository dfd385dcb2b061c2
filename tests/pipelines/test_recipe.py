import pytest
from pydantic import ValidationError

from pipelines.recipe import Recipe
from pipelines.rule_sets import rule_configs

PAIRS = {"name": "coyo", "type": "pairs", "path": "coyo.csv"}
CHATS = {"name": "flan", "type": "instructions", "path": "flan.jsonl"}
LOOPBACK = {"allow_private": ["127.0.0.1"]}


def recipe(**sections: object) -> Recipe:
    return Recipe.model_validate({"sources": [PAIRS], "fetch": LOOPBACK} | sections)


def faults_of(**sections: object) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        recipe(**sections)
    return [line.removeprefix("Value error, ") for fault in caught.value.errors() for line in fault["msg"].splitlines()]


def test_what_the_recipe_does_not_say_has_a_default() -> None:
    made = recipe()
    assert (made.partition_num_docs, made.blend.name, made.clip, made.dedup) == (1000, "main", None, None)
    assert rule_configs(made.admit) == rule_configs(made.keep) == {}


@pytest.mark.parametrize(
    "section",
    [{"sources": []}, {"partition_num_docs": 0}, {"engine": {"gpus": -1}}, {"engine": {"memory_limit": "lots"}}],
)
def test_values_out_of_range_are_refused(section: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        recipe(**section)


def test_a_recipe_cannot_be_changed_by_accident() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        recipe().partition_num_docs = 3  # type: ignore[misc]
