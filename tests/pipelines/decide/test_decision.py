from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.decide import decision as decision_module
from pipelines.decide.decision import CODE, Decision, name_decision
from pipelines.recipes.load import parse_recipe
from pipelines.run.context import RunContext
from pipelines.run.manifest import FOLD_PARTITIONS, Manifest
from tests.pipelines.corpus import CLIP, SOURCES, Picture, doc, make_context, measured, write_partition

P = "mmc4-00000-00000"
RECIPE = CLIP + "keep: {image.size: {min: 100}}\ndedup: {image: {exact: true, cosine: 0.9}}\n"
EXACT = RECIPE.replace(", cosine: 0.9", "")


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    return make_context(tmp_path, RECIPE)


def measure(context: RunContext, *pictures: Picture, text: str = "text") -> Manifest:
    write_partition(context, P, [doc("a", text, *(pictures or (Picture(number=1),)))])
    return measured(context, P)


def under(context: RunContext, recipe: str) -> RunContext:
    return replace(context, recipe=parse_recipe(SOURCES + recipe))


def names(manifest: Manifest, *contexts: RunContext, url_counts: str = "") -> list[str]:
    return [name_decision(context, manifest, url_counts=url_counts).fingerprint for context in contexts]


def test_a_name_changes_with_every_rule_and_with_what_counts_as_a_copy(context: RunContext) -> None:
    manifest = measure(context)
    others = [
        under(context, RECIPE.replace("min: 100", "min: 101")),
        under(context, RECIPE.replace("keep:", "admit: {text.words: {min: 2}}\nkeep:")),
        under(context, RECIPE.replace("0.9", "0.8")),
        under(context, EXACT),
        under(context, RECIPE.partition("dedup")[0]),
    ]
    assert len(set(names(manifest, context, *others))) == 6


def test_a_name_does_not_change_with_what_decides_nothing(context: RunContext) -> None:
    manifest = measure(context)
    elsewhere = replace(context, base="/elsewhere", num_fetchers=7, retry_failed=True)
    others = [
        under(context, RECIPE + "blend: {name: more, weights: {pair: 1}, seed: 3}\n"),
        under(context, RECIPE + "shards: {samples: 3}\n"),
        elsewhere,
    ]
    assert len(set(names(manifest, context, *others))) == 1


def test_a_name_changes_with_the_facts(context: RunContext) -> None:
    before = names(measure(context), context)
    assert names(measure(context, text="other words"), context) != before
    assert names(measure(context), context) == before


def test_a_name_changes_with_embeddings_only_where_they_are_compared(context: RunContext) -> None:
    exact = under(context, EXACT)
    plain = names(measure(context), context, exact)
    turned = names(measure(context, Picture(number=1, direction=9)), context, exact)
    assert plain[0] != turned[0]
    assert plain[1] == turned[1]


def test_a_name_changes_with_the_counts_of_urls(context: RunContext) -> None:
    manifest = measure(context)
    assert names(manifest, context) != names(manifest, context, url_counts="x")


@pytest.fixture
def fresh_code() -> Iterator[None]:
    decision_module._code_digest.cache_clear()
    yield
    decision_module._code_digest.cache_clear()


@pytest.mark.usefixtures("fresh_code")
def test_a_name_changes_with_the_code_that_decides(
    context: RunContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "code_that_decides"
    (package / "deep").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "deep" / "rule.py").write_text("x = 1\n")
    (package / "left" / "alone").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(decision_module, "CODE", {"code_that_decides": ("deep", "__init__.py")})
    manifest = measure(context)
    seen = names(manifest, context)
    for file, text, is_new in (
        ("left/alone/rule.py", "x = 2\n", False),
        ("deep/notes.txt", "no code", False),
        ("deep/rule.py", "x = 2\n", True),
        ("deep/another.py", "", False),  # nothing in it decides anything
        ("deep/another.py", "y = 1\n", True),
    ):
        (package / file).write_text(text)
        decision_module._code_digest.cache_clear()
        (name,) = names(manifest, context)
        assert (name not in seen) == is_new, file
        seen.append(name)


def test_the_code_that_decides_is_there() -> None:
    root = Path(decision_module.__file__).parents[2]
    for package, folders in CODE.items():
        assert all((root / package / folder).is_dir() for folder in folders)
    assert "decide" in CODE["pipelines"]


def test_a_decision_lies_in_a_folder_of_its_name(context: RunContext) -> None:
    decision = Decision(fingerprint="0123456789abcdef" * 4)
    places = {decision.verdicts.place, decision.matches.place, decision.pool.place}
    assert places == {f"decided/0123456789abcdef/{name}" for name in ("verdicts", "matches", "pool")}
    assert decision.tables == (decision.verdicts, decision.matches, decision.pool)
    assert decision.file(context, "counts.json") == f"{context.folder.root}/decided/0123456789abcdef/counts.json"
    found = [decision.copies_path(context, number) for number in (0, FOLD_PARTITIONS - 1, FOLD_PARTITIONS)]
    assert [(path.rpartition("/")[2], part) for path, part in found] == [
        ("00000.arrow", 0),
        ("00000.arrow", FOLD_PARTITIONS - 1),
        ("00001.arrow", 0),
    ]
