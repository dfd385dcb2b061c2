import pytest
from pydantic import ValidationError

from curate.fetch.config import missing_for_img2dataset
from filters.registry import RULES
from pipelines.recipe import AdmitRules, KeepRules, Recipe, rule_configs

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


def test_rules_on_scores_need_a_model() -> None:
    faults = faults_of(keep={"image.clip": {"min": 0.2}}, dedup={"image": {"cosine": 0.9}})
    assert [fault.split(":")[0] for fault in faults] == ["keep.image.clip", "dedup.image.cosine"]
    assert "add `clip: {model: ...}`" in faults[0]
    assert recipe(clip={"model": "tiny"}, keep={"image.clip": {}}, dedup={"image": {"cosine": 0.9}})
    assert recipe(dedup={"image": {"exact": True}})


def test_weights_name_sources_or_kinds() -> None:
    (fault,) = faults_of(blend={"weights": {"coyo": 1, "mmc4": 2, "text": 0}})
    assert fault == "blend.weights.mmc4: names no source and no kind (there are: coyo, interleaved, pair, text)"


def test_source_names_differ() -> None:
    assert faults_of(sources=[PAIRS, CHATS, PAIRS]) == ["sources: two sources are named 'coyo'; names must differ"]


def test_whoever_fetches_from_the_web_says_who_he_is() -> None:
    (fault,) = faults_of(fetch={})
    assert fault.startswith("fetch.contact: required")
    assert recipe(fetch={"contact": "mailto:you@example.org"})
    assert Recipe.model_validate({"sources": [CHATS]}).fetch.contact is None


@pytest.mark.parametrize("name", ["pool", "decided"])
def test_a_shard_set_is_not_named_like_what_lies_beside_its_files(name: str) -> None:
    (fault,) = faults_of(blend={"name": name})
    assert fault.startswith(f"blend.name: {name} ")


def test_faults_between_sections_come_together() -> None:
    assert len(faults_of(fetch={}, blend={"weights": {"nobody": 1}}, keep={"image.clip": {}})) == 3


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


def test_img2dataset_must_be_told_what_it_cannot_obey() -> None:
    fetch = LOOPBACK | {"backend": "img2dataset"}
    faults = faults_of(fetch=fetch, blend={"name": "pool"})
    names = ["respect_robots", "respect_tdmrep", "respect_content_usage"]
    missing = ["fetch.backend"] if missing_for_img2dataset() else []
    assert [fault.split(":")[0] for fault in faults] == [*missing, *(f"fetch.{name}" for name in names), "blend.name"]
    if not missing:
        assert recipe(fetch=fetch | dict.fromkeys(names, False)).fetch.backend == "img2dataset"
    assert recipe().fetch.backend == "own"


def test_img2dataset_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    faults = faults_of(fetch=LOOPBACK | {"backend": "img2dataset", "respect_robots": False, "respect_tdmrep": False})
    assert len(faults) == 2
    assert faults[0].startswith(
        "fetch.backend: img2dataset needs img2dataset, imghdr: install vila-curate[img2dataset]"
    )
    assert faults[1].startswith("fetch.respect_content_usage: the backend img2dataset cannot; say ")
