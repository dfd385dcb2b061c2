import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from curate.contract.errors import CurateError
from pipelines.decide.decided import Decided, load_or_decide
from pipelines.recipes.load import parse_recipe
from pipelines.run import tables
from pipelines.run.context import RunContext
from pipelines.run.folder import RunFolder
from pipelines.run.manifest import load_manifest
from tests.pipelines.corpus import (
    CLIP,
    SOURCES,
    Picture,
    decide_all,
    doc,
    make_context,
    measured,
    pair,
    pool_of,
    verdicts_of,
    write_partition,
)
from tests.pipelines.cut_small import cut_small
from tests.pipelines.in_process import InProcess

FIRST, SECOND = "mmc4-00000-00000", "coyo-00000-00000"
NAMES = (FIRST, SECOND)
KEEP = CLIP + "keep: {image.size: {min: 150}}\n"
DEDUP = KEEP + "dedup: {image: {exact: true, cosine: 0.9}}\n"


def fill(context: RunContext) -> RunContext:
    docs = [doc("b", "text", Picture(number=1)), doc("a", "more text", Picture(number=2, sides=(9, 9)))]
    write_partition(context, FIRST, docs)
    write_partition(context, SECOND, [pair("c", Picture(number=3)), pair("d", Picture(number=1))])
    return context


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    return fill(make_context(tmp_path, KEEP))


@pytest.fixture
def with_copies(tmp_path: Path) -> RunContext:
    return fill(make_context(tmp_path, DEDUP))


def under(context: RunContext, recipe: str) -> RunContext:
    return replace(context, recipe=parse_recipe(SOURCES + recipe))


def decide(context: RunContext, *names: str) -> tuple[Decided, Counter[str]]:
    """Decide, and return how many tasks of each stage did something."""
    manifest = measured(context, *(names or NAMES))
    workers = InProcess()
    decided = load_or_decide(workers, context, manifest)
    return decided, Counter(report.stage for report in workers.reports if not report.skipped)


def ids(context: RunContext, decided: Decided) -> list[str]:
    return [doc_id for _, pool in decided.iterate_pool(context) for doc_id in pool["doc_id"].to_pylist()]


def files(decided: Decided, context: RunContext) -> dict[str, bytes]:
    root = Path(decided.decision.file(context))
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("recipe", [KEEP, DEDUP])
def test_a_second_time_nothing_is_run(context: RunContext, recipe: str) -> None:
    context = under(context, recipe)
    first, ran = decide(context)
    assert ran["decide"] > 0
    again, ran_again = decide(context)
    assert ran_again == Counter()
    assert again.decision == first.decision
    assert again.rejections == first.rejections
    assert ids(context, again) == ids(context, first)
    assert again.rejections[("image.size", "images")] == 1
    assert again.manifest.digest("facts") == load_manifest(context).digest("facts")


def test_the_pool_comes_partition_by_partition_in_input_order(with_copies: RunContext) -> None:
    decided, _ = decide(with_copies)
    pool = list(decided.iterate_pool(with_copies))
    assert [name for name, _ in pool] == list(NAMES)
    assert [table["doc_id"].to_pylist() for _, table in pool] == [["b", "a"], ["c"]]
    assert decided.rejections == {
        ("image.size", "images"): 1,
        ("dedup.exact", "images"): 1,
        ("dedup.exact", "documents"): 1,
    }


def test_what_settling_alone_needs_is_not_left_behind(with_copies: RunContext) -> None:
    decided, _ = decide(with_copies)
    found = {name.partition("/")[0] for name in files(decided, with_copies)}
    assert found == {"verdicts", "matches", "pool", "copies", "counts.json"}


def test_decisions_lie_side_by_side(context: RunContext, with_copies: RunContext) -> None:
    strict, _ = decide(context)
    before = files(strict, context)
    loose, ran = decide(under(context, CLIP))
    assert ran["decide"] > 0
    assert loose.decision.name != strict.decision.name
    assert loose.rejections == {}
    assert files(strict, context) == before
    again, ran = decide(context)
    assert (again.decision, again.rejections, ran) == (strict.decision, strict.rejections, Counter())
    assert ids(context, again) == ids(context, loose) == ["b", "a", "c", "d"]
    assert ids(with_copies, decide(with_copies)[0]) == ["b", "a", "c"]


def test_a_changed_weight_decides_nothing_and_a_changed_measure_decides_anew(context: RunContext) -> None:
    first, _ = decide(context)
    weights = under(context, KEEP + "blend: {weights: {pair: 1}}\n")
    second, ran = decide(weights)
    assert (second.decision, ran) == (first.decision, Counter())
    write_partition(context, SECOND, [pair("c", Picture(number=3, sides=(5, 5)))])
    third, ran = decide(context)
    assert ran["decide"] == 1
    assert third.decision != first.decision
    assert ids(context, third) == ["b", "a"]


def test_counts_of_urls_make_another_decision(context: RunContext) -> None:
    manifest = measured(context, *NAMES)
    names = {load_or_decide(InProcess(), context, manifest, url_counts=one).decision.name for one in ("", "x", "y")}
    assert len(names) == 3


@pytest.mark.parametrize(
    "lost", ["counts.json", *(f"{table}/{name}.parquet" for table in ("verdicts", "matches", "pool") for name in NAMES)]
)
def test_what_is_lost_is_made_anew(with_copies: RunContext, lost: str) -> None:
    first, _ = decide(with_copies)
    before = files(first, with_copies)
    Path(first.decision.file(with_copies, lost)).unlink()
    again, ran = decide(with_copies)
    assert ran["decide"] > 0
    assert ran["propose"] == 0
    assert again.rejections == first.rejections
    assert files(again, with_copies) == before


def test_a_decision_that_was_broken_off_goes_on(with_copies: RunContext) -> None:
    first, _ = decide(with_copies)
    before = files(first, with_copies)
    for name in ("counts.json", "copies/00000.arrow", f"pool/{SECOND}.parquet"):
        Path(first.decision.file(with_copies, name)).unlink()
    again, _ = decide(with_copies)
    assert files(again, with_copies) == before


def test_a_note_of_something_else_does_not_count(context: RunContext) -> None:
    first, _ = decide(context)
    note = Path(first.decision.file(context, "counts.json"))
    wanted = note.read_text()
    note.write_text(json.dumps({**json.loads(wanted), "made_from": "something else", "rejections": []}))
    again, _ = decide(context)
    assert again.rejections == first.rejections
    assert note.read_text() == wanted


def test_a_damaged_table_is_made_anew_when_it_is_read(context: RunContext) -> None:
    first, _ = decide(context)
    path = Path(context.folder.path(first.decision.pool, FIRST))
    whole = path.read_bytes()
    path.write_bytes(whole[:40])
    again, _ = decide(context)
    assert ids(context, again) == ["b", "a", "c", "d"]
    assert path.read_bytes() == whole


def test_a_stricter_cosine_proposes_nothing_again_and_a_looser_one_does(with_copies: RunContext) -> None:
    _, ran = decide(with_copies)
    assert ran["propose"] > 0
    stricter, ran = decide(under(with_copies, DEDUP.replace("0.9", "0.95")))
    assert (ran["propose"], ran["decide"] > 0) == (0, True)
    exact, ran = decide(under(with_copies, DEDUP.replace(", cosine: 0.9", "")))
    assert (ran["propose"], ran["decide"] > 0) == (0, True)
    looser, ran = decide(under(with_copies, DEDUP.replace("0.9", "0.5")))
    assert (ran["propose"] > 0, ran["decide"] > 0) == (True, True)
    assert len({one.decision.name for one in (stricter, exact, looser)}) == 3


def tilted(tmp_path: Path) -> RunContext:
    """Pictures 1, 2, ... 5 in documents of their own, each a little further from picture 1."""
    context = make_context(tmp_path, DEDUP)
    write_partition(context, FIRST, [doc(f"d{n}", "text", Picture(number=n, direction=0)) for n in range(1, 6)])
    rows = context.folder.read(tables.CLIP_MEASURES, FIRST).to_pylist()
    for place, row in enumerate(rows):
        row["embedding"][1] = place * 0.25
    context.folder.write(
        tables.CLIP_MEASURES,
        FIRST,
        rows=tables.CLIP_MEASURES.schema.empty_table().from_pylist(rows, schema=tables.CLIP_MEASURES.schema),
        made_from="by hand",
    )
    return context


def test_each_cosine_decides_as_if_it_were_the_first_to_be_asked(tmp_path: Path) -> None:
    """Pairs that were stored for another threshold must not show."""
    shared = tilted(tmp_path / "shared")
    found = {}
    for number, cosine in enumerate(("0.5", "0.9", "0.95", "0.99", "0.999", "0.8")):
        recipe = DEDUP.replace("0.9", cosine)
        own = under(tilted(tmp_path / str(number)), recipe)
        decided, alone = decide(under(shared, recipe), FIRST)[0], decide(own, FIRST)[0]
        found[cosine] = verdicts_of(shared, decided, FIRST)
        assert found[cosine] == verdicts_of(own, alone, FIRST), cosine
    assert len({len(one) for one in found.values()}) > 2


def test_images_that_are_wanted_and_were_never_fetched_stop_it(context: RunContext) -> None:
    context.folder.write(
        tables.IMAGES, FIRST, rows=context.folder.read(tables.IMAGES, FIRST).slice(1), made_from="some"
    )
    with pytest.raises(CurateError, match=f"{FIRST}: 1 admitted images were never fetched"):
        decide(context)


def test_a_run_without_partitions_is_decided(with_copies: RunContext) -> None:
    decided = load_or_decide(InProcess(), with_copies, measured(with_copies))
    assert list(decided.iterate_pool(with_copies)) == []
    assert decided.rejections == {}


def test_it_goes_wherever_fsspec_goes() -> None:
    base = make_context(Path("unused"), DEDUP)
    context = fill(replace(base, folder=RunFolder("memory://decided-test/run")))
    decided, _ = decide(context)
    assert pool_of(context, decided, SECOND)[0]["doc_id"] == "c"
    _, ran = decide(context)
    assert ran == Counter()


def test_groups_and_folds_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"mmc4-{number:05d}-00000" for number in range(9)]
    found = []
    for size in (64, 1, 2, 4):
        if size < 64:
            cut_small(monkeypatch, fold_partitions=size, group_partitions=3, block_num_images=2)
        context = make_context(tmp_path / str(size), DEDUP)
        for number, name in enumerate(names):
            pictures = [Picture(number=(number * k) % 7, direction=(number * k) % 5) for k in (1, 2)]
            write_partition(context, name, [doc(f"d{number}", "text", *pictures)])
        decided = decide_all(context, *names)
        found.append(
            ([verdicts_of(context, decided, name) for name in names], ids(context, decided), decided.rejections)
        )
    assert found[0] == found[1] == found[2] == found[3]
    assert found[0][2].total() > 5
