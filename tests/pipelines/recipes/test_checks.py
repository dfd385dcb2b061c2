from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from curate.fetch.config import missing_for_img2dataset
from pipelines.recipes.checks import CHECKS, agreement_faults
from pipelines.recipes.recipe import Recipe
from tests.pipelines.recipe_texts import LOOPBACK, PAIRS, recipe

CHATS = {"name": "flan", "type": "instructions", "path": "flan.jsonl"}


def faults_of(**sections: object) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        recipe(**sections)
    return [line.removeprefix("Value error, ") for fault in caught.value.errors() for line in fault["msg"].splitlines()]


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


@pytest.mark.parametrize(
    ("source", "fetches"),
    [
        ({"type": "folder"}, False),
        ({"type": "webdataset"}, False),
        ({"type": "webdataset", "fetch_absent": True}, True),
        ({"type": "instructions", "image_root": "pictures"}, False),
        ({"type": "instructions", "image_root": "https://h/"}, True),
        ({"type": "pairs", "image_root": "pictures"}, True),
    ],
)
def test_what_comes_whole_needs_no_contact(source: dict[str, object], fetches: bool) -> None:  # noqa: FBT001
    sources = [{"name": "s", "path": "a"} | source]
    if fetches:
        (fault,) = faults_of(sources=sources, fetch={})
        assert fault.startswith("fetch.contact: required")
    else:
        assert Recipe.model_validate({"sources": sources}).fetch.contact is None


@pytest.mark.parametrize("name", ["pool", "decided"])
def test_a_shard_set_is_not_named_like_what_lies_beside_its_files(name: str) -> None:
    (fault,) = faults_of(blend={"name": name})
    assert fault.startswith(f"blend.name: {name} ")


def test_faults_between_sections_come_together() -> None:
    assert len(faults_of(fetch={}, blend={"weights": {"nobody": 1}}, keep={"image.clip": {}})) == 3


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


def test_licences_are_of_sources() -> None:
    (fault,) = faults_of(datasheet={"source_licenses": {"coyo": "CC-BY-4.0", "mmc4": "ODC-By"}})
    assert fault == "datasheet.source_licenses.mmc4: names no source (there are: coyo)"


def test_a_check_asks_for_sound_sections_alone() -> None:
    made = recipe()
    fields = set(Recipe.model_fields)
    assert {section for sections in CHECKS.values() for section in sections} <= fields
    for check, sections in CHECKS.items():
        seen = SimpleNamespace(**{section: getattr(made, section) for section in sections})
        assert check(seen) == []
    assert agreement_faults(SimpleNamespace(), ()) == []
