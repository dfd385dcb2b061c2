from pathlib import Path

import pytest

from curate.contract.errors import RecipeError
from pipelines.recipes.load import dump_recipe, load_recipe, parse_recipe
from pipelines.recipes.rule_sets import rule_configs

GOOD = """
sources:
  - {name: mmc4, type: mmc4, path: a.jsonl}
  - {name: coyo, type: pairs, path: coyo.csv}
admit:
  text.words: {min: 3}
fetch: {allow_private: [127.0.0.1], resize: null}
clip: {model: tiny}
keep:
  image.clip: {min: 0.25}
  doc.images: {kinds: [pair, interleaved]}
dedup: {image: {exact: true, cosine: 0.9}}
blend: {weights: {interleaved: 0.5, coyo: 0.5}, total: 10K}
"""


def faults_of(text: str, *overrides: str) -> tuple[str, ...]:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(text, overrides=overrides)
    return caught.value.faults


def test_three_mistakes_are_named_at_once_with_their_places_and_hints() -> None:
    faults = faults_of(
        GOOD.replace("path: a.jsonl", "pth: a.jsonl").replace("{min: 0.25}", "{mim: 0.25}") + "patition_num_docs: 3\n"
    )
    assert "keep.image.clip.mim: unknown key (did you mean 'min'?)" in faults
    assert "patition_num_docs: unknown key (did you mean 'partition_num_docs'?)" in faults
    of_source = [fault for fault in faults if fault.startswith("sources.0.")]
    assert any(fault.endswith("pth: unknown key (did you mean 'path'?)") for fault in of_source)
    assert any(fault.endswith("path: required, but not given") for fault in of_source)
    assert len(faults) == 4


def test_a_misspelt_rule_gets_the_rule_as_hint() -> None:
    assert faults_of(GOOD.replace("image.clip", "image.clop")) == (
        "keep.image.clop: unknown key (did you mean 'image.clip'?)",
    )


def test_a_key_like_no_other_is_told_which_there_are() -> None:
    (fault,) = faults_of(GOOD + "zzzzzz: 1\n")
    assert fault.startswith("zzzzzz: unknown key (there are: admit, blend, clip, ")


def test_a_wrong_value_is_shown_with_its_place() -> None:
    (fault,) = faults_of(GOOD.replace("{min: 3}", "{min: many}"))
    assert fault.startswith("admit.text.words.min: ")
    assert fault.endswith("(got 'many')")


def test_faults_between_sections_keep_their_own_places() -> None:
    faults = faults_of(GOOD.replace("clip: {model: tiny}", ""))
    assert [fault.split(":")[0] for fault in faults] == ["keep.image.clip", "dedup.image.cosine"]


def test_faults_between_sound_sections_are_told_beside_those_inside_others() -> None:
    faults = faults_of(
        GOOD.replace("{min: 3}", "{min: many}").replace("coyo: 0.5}", "cojo: 0.5}"), "blend.name", "engine.workers=0"
    )
    assert [fault.split(":")[0] for fault in faults] == [
        "--set blend.name", "admit.text.words.min", "engine.workers", "blend.weights.cojo",
    ]  # fmt: skip


def test_nothing_follows_from_a_fault() -> None:
    """Not that there is no source, nor that scores are missing where the model's section is wrong."""
    faults = faults_of("sources: [{name: a, type: nothing}]\nclip: {modle: x}\nkeep: {image.clip: {min: 0.2}}\n")
    assert faults[0].startswith("sources.0")
    assert not any("at least 1 item" in fault or "CLIP" in fault for fault in faults)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("sources: [\n", "not valid YAML"),
        ("", "not a mapping of names to values: there must be at least a line `sources: ...`"),
        ("- 1\n", "not a mapping of names to values"),
        ("sources: 1\nsources: 2\n", "line 1: sources given twice"),
        (GOOD.replace("model: tiny", "model: tiny, model: big"), "line 8: model given twice"),
        (GOOD.replace("  image.clip", "  doc.images: {}\n  image.clip"), "line 10: doc.images given twice"),
        ("a: !!python/object:os.system 1\n", "not valid YAML"),
    ],
)
def test_yaml_that_is_no_recipe(text: str, fault: str) -> None:
    (line,) = faults_of(text)
    assert fault in line


def test_yaml_anchors_and_merges_work() -> None:
    text = GOOD.replace("path: a.jsonl}", "path: a.jsonl}\n  - {<<: &both {type: pairs, path: x.csv}, name: more}\n")
    assert [source.name for source in parse_recipe(text).sources] == ["mmc4", "more", "coyo"]


def test_set_reaches_every_kind_of_place() -> None:
    made = parse_recipe(
        GOOD,
        overrides=[
            "keep.image.clip.min=0.5",
            "keep.image.size.min=7",
            "keep.doc.images={max: 3}",
            "admit.url.tokens.deny=[logo]",
            "sources.coyo.path=b.csv",
            "sources.0.path=c.jsonl",
            "dedup.image.cosine=null",
            "blend.name=strict",
            "fetch.resize.shorter_side=10",
            "fetch.contact=mailto:a@b.c?x=y",
        ],
    )
    keep = {name: config.model_dump() for name, config in rule_configs(made.keep).items()}
    assert (keep["image.clip"]["min"], keep["image.size"]["min"], keep["doc.images"]["max"]) == (0.5, 7, 3)
    assert rule_configs(made.admit)["url.tokens"].model_dump()["deny"] == ("logo",)
    assert [source.path for source in made.sources] == ["c.jsonl", "b.csv"]
    assert made.dedup is not None
    assert made.dedup.image.cosine is None
    assert (made.blend.name, made.fetch.contact) == ("strict", "mailto:a@b.c?x=y")
    assert made.fetch.resize is not None
    assert made.fetch.resize.shorter_side == 10


def test_set_makes_a_section_that_is_not_there() -> None:
    text = "sources:\n  - {name: flan, type: instructions, path: f.jsonl}\nkeep:\n"
    made = parse_recipe(text, overrides=["keep.image.size.min=7", "engine.workers=3"])
    assert (list(rule_configs(made.keep)), made.engine.workers) == (["image.size"], 3)


@pytest.mark.parametrize(
    "override",
    ["blend.name", "=3", "sources.nobody.path=x", "sources.9.path=x", "sources.0=x", "clip.model.deep=1"],
)
def test_set_that_points_nowhere_is_named(override: str) -> None:
    (fault,) = faults_of(GOOD, override)
    assert fault.startswith("--set " + override.partition("=")[0])


def test_every_faulty_set_is_named_at_once() -> None:
    assert len(faults_of(GOOD, "blend.name", "sources.nobody.path=x", "blend.seed=1")) == 2


def test_set_with_a_value_that_is_no_yaml_is_named() -> None:
    (fault,) = faults_of(GOOD, "blend.name=[a")
    assert fault.startswith("--set blend.name")


def test_set_with_an_unknown_key_gets_a_hint() -> None:
    assert faults_of(GOOD, "blend.sed=1") == ("blend.sed: unknown key (did you mean 'seed'?)",)


def test_a_dumped_recipe_says_the_same_again() -> None:
    made = parse_recipe(GOOD)
    text = dump_recipe(made)
    assert parse_recipe(text) == made
    assert dump_recipe(parse_recipe(text)) == text
    assert parse_recipe(text).fetch.resize is None
    assert "resize: null" in text
    assert "image.aspect" not in text


def test_sets_are_written_in_one_order() -> None:
    text = dump_recipe(parse_recipe(GOOD))
    assert text.index("- interleaved") < text.index("- pair")
    assert text == dump_recipe(parse_recipe(GOOD.replace("[pair, interleaved]", "[interleaved, pair]")))


def test_a_recipe_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "größe.yaml"
    path.write_text(GOOD + "# größer\n", encoding="utf-8")
    assert load_recipe(str(path), overrides=["blend.seed=4"]).blend.seed == 4


def test_a_recipe_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"# gr\xf6\xdfer\n")
    for name in ("none.yaml", "latin.yaml", "."):
        with pytest.raises(RecipeError, match="cannot be read"):
            load_recipe(f"{tmp_path}/{name}")
