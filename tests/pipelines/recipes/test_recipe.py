import pytest
from pydantic import ValidationError

from pipelines.recipes.rule_sets import rule_configs
from tests.pipelines.recipe_texts import recipe


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


@pytest.mark.parametrize(("written", "kept"), [("auto", "auto"), ("4GB", "4000000000"), ("1 GiB", "1073741824")])
def test_memory_is_kept_in_bytes(written: str, kept: str) -> None:
    assert recipe(engine={"memory_limit": written}).engine.memory_limit == kept
