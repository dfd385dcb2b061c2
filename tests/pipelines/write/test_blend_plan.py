import io
from dataclasses import replace
from pathlib import Path

import pytest
from pipelines.decide.pool_arrays import as_pool
from rich.console import Console

from curate.blend.plan import plan_blend
from curate.contract.errors import BlendError, CurateError
from pipelines import views
from pipelines.decide.decided import load_or_decide
from pipelines.recipes.load import parse_recipe
from pipelines.run.context import RunContext
from pipelines.run.folder import write_json
from pipelines.run.progress import Progress
from pipelines.write.blend_plan import estimate_disk_bytes, plan_again
from tests.curate.blend.test_tokens import word_tokenizer
from tests.pipelines.corpus import SOURCES, Picture, chat, doc, make_context, pair, write_partition

PARTITIONS = ("mmc4-00000-00000", "coyo-00000-00000", "flan-00000-00000")


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    made = make_context(tmp_path)
    write_partition(made, PARTITIONS[0], [doc("a", "text", Picture(number=1)), doc("b", "more", Picture(number=2))])
    write_partition(made, PARTITIONS[1], [pair("c", Picture(number=3)), pair("d", Picture(number=4, sides=(9, 9)))])
    write_partition(made, PARTITIONS[2], [chat("e"), chat("f"), chat("g")])
    with Progress(made.folder, console=Console(file=io.StringIO())) as progress:
        decided = load_or_decide(made, progress, PARTITIONS)
    write_json(made.folder.file("blend", "main.json"), plan_blend(as_pool(decided.pool), made.recipe.blend).summary)
    return made


def with_recipe(context: RunContext, text: str) -> RunContext:
    return replace(context, recipe=parse_recipe(SOURCES + text))


def contents(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_plan_is_laid_beside_the_written_one_of_its_name(context: RunContext, tmp_path: Path) -> None:
    before = contents(tmp_path)
    planned = plan_again(with_recipe(context, "blend: {weights: {pair: 1, text: 1}}"), PARTITIONS)
    assert planned.other_name == "main"
    assert planned.other is not None
    assert (planned.other["samples"], planned.summary["samples"]) == (7, 4)
    assert planned.free_bytes is not None
    assert contents(tmp_path) == before


def test_a_plan_of_a_new_name_stands_alone_unless_one_is_named(context: RunContext) -> None:
    other = with_recipe(context, "blend: {name: other}")
    assert plan_again(other, PARTITIONS).other is None
    assert plan_again(other, PARTITIONS, compare="main").other_name == "main"
    with pytest.raises(CurateError, match="no shard set absent was planned here"):
        plan_again(other, PARTITIONS, compare="absent")


def test_other_rules_are_decided_without_writing(context: RunContext, tmp_path: Path) -> None:
    before = contents(tmp_path)
    planned = plan_again(with_recipe(context, "keep: {image.size: {min: 150}}"), PARTITIONS)
    assert planned.summary["entries"]["pair"]["supply"]["samples"] == 1
    assert contents(tmp_path) == before


def test_tokens_are_counted_with_the_tokenizer(context: RunContext, tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "tokenizer.json").write_text(word_tokenizer().to_str())
    recipe = "blend: {tokenizer: words, unit: tokens, tokens_per_image: 10, weights: {text: 1}}"
    planned = plan_again(with_recipe(context, recipe), PARTITIONS)
    assert planned.summary["tokens"] == 3 * 5
    assert planned.summary["tokens_by"] == "words"


def test_a_total_beyond_supply_is_an_error(context: RunContext) -> None:
    with pytest.raises(BlendError, match="at most 7: "):
        plan_again(with_recipe(context, "blend: {total: 8}"), PARTITIONS)


def test_disk_use_counts_text_images_and_headers() -> None:
    summary = {"num_bytes": 1_000_000, "samples": 100, "images": 200}
    assert 1_200_000 < estimate_disk_bytes(summary) < 1_500_000


def test_both_plans_are_shown_line_by_line(context: RunContext, capsys: pytest.CaptureFixture[str]) -> None:
    planned = plan_again(with_recipe(context, "blend: {weights: {pair: 1, text: {0%: 1, 100%: 3}}}"), PARTITIONS)
    views.console.width, width = 160, views.console.width
    views.show_plan(planned)
    views.console.width = width
    shown = capsys.readouterr().out
    for expected in ("interleaved", "main (written)", "0%: 1, 100%: 3", "bound by", "no shard was written"):
        assert expected in shown
