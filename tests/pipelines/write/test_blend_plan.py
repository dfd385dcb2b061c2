from dataclasses import replace
from pathlib import Path

import pytest

from curate.blend.plan import plan_blend
from curate.blend.pool import read_pool
from curate.contract.errors import BlendError, CurateError
from pipelines import views
from pipelines.recipes.load import parse_recipe
from pipelines.run.context import RunContext
from pipelines.run.folder import write_json
from pipelines.run.manifest import load_manifest
from pipelines.write.blend_plan import Planned, decide_and_plan, decide_run, estimate_disk_bytes, plan_again
from tests.curate.blend.test_tokens import word_tokenizer
from tests.pipelines.corpus import (
    SOURCES,
    Picture,
    chat,
    decide_all,
    doc,
    make_context,
    pair,
    verdicts_of,
    write_partition,
)
from tests.pipelines.in_process import InProcess

PARTITIONS = ("mmc4-00000-00000", "coyo-00000-00000", "flan-00000-00000")


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    made = make_context(tmp_path)
    write_partition(made, PARTITIONS[0], [doc("a", "text", Picture(number=1)), doc("b", "more", Picture(number=2))])
    write_partition(made, PARTITIONS[1], [pair("c", Picture(number=3)), pair("d", Picture(number=4, sides=(9, 9)))])
    write_partition(made, PARTITIONS[2], [chat("e"), chat("f"), chat("g")])
    pool = read_pool(decide_all(made, *PARTITIONS).iterate_pool(made))
    write_json(made.folder.file("blend", "main.json"), plan_blend(pool, made.recipe.blend).summary)
    return made


def plan(context: RunContext, *, compare: str | None = None) -> Planned:
    return plan_again(InProcess(), context, load_manifest(context), compare=compare)


def with_recipe(context: RunContext, text: str) -> RunContext:
    return replace(context, recipe=parse_recipe(SOURCES + text))


def contents(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_plan_is_laid_beside_the_written_one_of_its_name(context: RunContext, tmp_path: Path) -> None:
    before = contents(tmp_path)
    planned = plan(with_recipe(context, "blend: {weights: {pair: 1, text: 1}}"))
    assert planned.other_name == "main"
    assert planned.other is not None
    assert (planned.other["samples"], planned.summary["samples"]) == (7, 4)
    assert planned.free_bytes is not None
    assert contents(tmp_path) == before


def test_a_plan_of_a_new_name_stands_alone_unless_one_is_named(context: RunContext) -> None:
    other = with_recipe(context, "blend: {name: other}")
    assert plan(other).other is None
    assert plan(other, compare="main").other_name == "main"
    with pytest.raises(CurateError, match="no shard set absent was planned here"):
        plan(other, compare="absent")


def test_other_rules_are_decided_without_writing_a_set(context: RunContext, tmp_path: Path) -> None:
    before = contents(tmp_path)
    planned = plan(with_recipe(context, "keep: {image.size: {min: 150}}"))
    assert planned.summary["entries"]["pair"]["supply"]["samples"] == 1
    after = contents(tmp_path)
    assert after.items() >= before.items()
    new = {path.removeprefix(f"{tmp_path}/").split("/")[0] for path in after.keys() - before.keys()}
    assert new == {"decided"}


def test_tokens_are_counted_with_the_tokenizer(context: RunContext, tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "tokenizer.json").write_text(word_tokenizer().to_str())
    recipe = "blend: {tokenizer: words, unit: tokens, tokens_per_image: 10, weights: {text: 1}}"
    planned = plan(with_recipe(context, recipe))
    assert planned.summary["tokens"] == 3 * 5
    assert planned.summary["tokens_by"] == "words"


def test_a_total_beyond_supply_is_an_error(context: RunContext) -> None:
    with pytest.raises(BlendError, match="at most 7: "):
        plan(with_recipe(context, "blend: {total: 8}"))


def test_disk_use_counts_text_images_and_headers() -> None:
    summary = {"num_bytes": 1_000_000, "samples": 100, "images": 200}
    assert 1_200_000 < estimate_disk_bytes(summary) < 1_500_000


def test_both_plans_are_shown_line_by_line(context: RunContext, capsys: pytest.CaptureFixture[str]) -> None:
    planned = plan(with_recipe(context, "blend: {weights: {pair: 1, text: {0%: 1, 100%: 3}}}"))
    views.console.width, width = 160, views.console.width
    views.show_plan(planned)
    views.console.width = width
    shown = capsys.readouterr().out
    for expected in ("interleaved", "main (written)", "0%: 1, 100%: 3", "bound by", "no shard was written"):
        assert expected in shown


def test_a_decision_that_was_planned_is_taken_when_its_set_is_written(context: RunContext) -> None:
    strict = with_recipe(context, "keep: {image.size: {min: 150}}")
    plan(strict)
    workers = InProcess()
    decided, pool, blend = decide_and_plan(workers, strict, load_manifest(context))
    assert workers.reports == []
    assert decided.rejections == {("image.size", "images"): 1, ("image.size", "documents"): 1}
    assert (pool.num_documents, len(blend.rows)) == (6, 6)


def test_urls_are_counted_before_a_rule_that_came_late(context: RunContext) -> None:
    write_partition(context, PARTITIONS[1], [pair("c", Picture(number=1)), pair("d", Picture(number=4))])
    manifest = decide_all(context, *PARTITIONS).manifest
    counted = with_recipe(context, "admit: {url.frequency: {max: 1}}")
    decided = decide_run(InProcess(), counted, manifest)
    assert verdicts_of(counted, decided, PARTITIONS[0]) == {("a", 1): "url.frequency"}
    plain = decide_run(InProcess(), context, manifest)
    assert plain.decision != decided.decision
    assert verdicts_of(context, plain, PARTITIONS[0]) == {}
