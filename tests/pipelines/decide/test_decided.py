import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.decide.decided import decision_fingerprint, load_decided, load_or_decide
from pipelines.recipes.load import parse_recipe
from pipelines.run.context import RunContext
from pipelines.run.progress import Progress
from tests.pipelines.corpus import SOURCES, Picture, doc, make_context, pair, write_partition

FIRST, SECOND = "mmc4-00000-00000", "coyo-00000-00000"
NAMES = (FIRST, SECOND)


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    made = make_context(tmp_path, "keep: {image.size: {min: 150}}\n")
    write_partition(
        made, FIRST, [doc("b", "text", Picture(number=1)), doc("a", "more text", Picture(number=2, sides=(9, 9)))]
    )
    write_partition(made, SECOND, [pair("c", Picture(number=3))])
    return made


@pytest.fixture
def progress(context: RunContext) -> Iterator[Progress]:
    with Progress(context.folder, console=Console(file=io.StringIO())) as shown:
        yield shown


def num_decided(progress: Progress) -> int:
    return progress.counters["decide"]["done"] if "decide" in progress.counters else 0


def test_a_second_blend_takes_the_pool_as_it_was_decided(context: RunContext, progress: Progress) -> None:
    first = load_or_decide(context, progress, NAMES)
    assert first.rejections == {("image.size", "images"): 1}
    assert num_decided(progress) == 2
    again = load_or_decide(context, progress, NAMES)
    assert num_decided(progress) == 2
    assert again.pool.equals(first.pool)
    assert again.rejections == first.rejections


def test_a_changed_rule_is_decided_anew_and_a_changed_weight_is_not(context: RunContext, progress: Progress) -> None:
    load_or_decide(context, progress, NAMES)
    weights = replace(
        context, recipe=parse_recipe(SOURCES + "keep: {image.size: {min: 150}}\nblend: {weights: {pair: 1}}")
    )
    load_or_decide(weights, progress, NAMES)
    assert num_decided(progress) == 2
    looser = replace(context, recipe=parse_recipe(SOURCES))
    assert load_or_decide(looser, progress, NAMES).rejections == {}
    assert num_decided(progress) == 4


def test_a_changed_measure_is_decided_anew(context: RunContext, progress: Progress) -> None:
    load_or_decide(context, progress, NAMES)
    write_partition(context, SECOND, [pair("c", Picture(number=3, sides=(5, 5)))])
    assert load_or_decide(context, progress, NAMES).pool.num_rows == 2


@pytest.mark.parametrize("lost", ["blend/decided.json", "blend/pool.parquet", f"matches/{FIRST}.parquet"])
def test_what_is_lost_is_made_anew(context: RunContext, progress: Progress, lost: str) -> None:
    load_or_decide(context, progress, NAMES)
    path = Path(context.folder.root, lost)
    path.unlink()
    load_or_decide(context, progress, NAMES)
    assert path.exists()
    assert num_decided(progress) == 4


def test_a_decision_that_was_broken_off_does_not_count(context: RunContext, progress: Progress) -> None:
    load_or_decide(context, progress, NAMES)
    note = Path(context.folder.root, "blend", "decided.json")
    note.write_text(json.dumps({**json.loads(note.read_text()), "made_from": "something else"}))
    assert load_decided(context, NAMES, decision_fingerprint(context, NAMES)) is None
