import pytest
from pydantic import ValidationError

from filters.registry import RULES
from pipelines.recipes.rule_sets import AdmitRules, KeepRules, rule_configs
from tests.pipelines.recipe_texts import recipe


def test_every_rule_has_its_place_in_one_section() -> None:
    fields = {"admit": AdmitRules.model_fields, "keep": KeepRules.model_fields}
    aliases = {section: {info.alias for info in infos.values()} for section, infos in fields.items()}
    assert aliases["admit"] | aliases["keep"] == set(RULES)
    assert all(name in aliases[spec.phase] for name, spec in RULES.items())


def test_rules_come_in_the_order_in_which_they_are_asked() -> None:
    made = recipe(clip={"model": "tiny"}, keep={"doc.images": {}, "image.clip": {"min": 0.2}, "image.size": {"min": 7}})
    configs = rule_configs(made.keep)
    assert list(configs) == ["image.size", "image.clip", "doc.images"]
    assert configs["image.size"] == RULES["image.size"].config.model_validate({"min": 7})


def test_a_rule_in_the_wrong_section_or_by_its_field_name_is_unknown() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        recipe(keep={"text.words": {}})
    with pytest.raises(ValidationError, match="Extra inputs"):
        recipe(keep={"image_size": {}})
