import io
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from distributed import Client
from rich.console import Console

from curate.contract.errors import CurateError, RecipeError
from curate.report.ledger import check_ledger
from pipelines.account import account_for
from pipelines.build import decide_and_write, open_workers
from pipelines.recipes.load import dump_recipe, parse_recipe
from pipelines.run.context import RunContext
from pipelines.run.folder import RunFolder, read_json, write_text
from pipelines.run.lock import only_run
from pipelines.run.manifest import load_manifest
from pipelines.run.progress import Progress
from pipelines.session import RunOptions, blend_again, open_context, plan_blend_again, report_again
from pipelines.verify import verify
from tests.pipelines.corpus import SOURCES, Picture, doc, make_context, measured, pair, write_partition

MMC4, COYO = "mmc4-00000-00000", "coyo-00000-00000"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "lists" / "mine.yaml"
    path.parent.mkdir()
    path.write_text(SOURCES, encoding="utf-8")
    return path


def test_a_context_is_opened_without_writing(recipe: Path, tmp_path: Path) -> None:
    options = RunOptions(out=f"{tmp_path}/out/", overrides=["blend.seed=3"], limit=5, retry_failed=True)
    context = open_context(str(recipe), options)
    assert context.folder.root == f"{tmp_path}/out"
    assert context.base == str(recipe.parent)
    assert (context.recipe.blend.seed, context.limit, context.retry_failed) == (3, 5, True)
    assert [path.name for path in tmp_path.iterdir()] == ["lists"]


def test_a_faulty_recipe_stops_before_anything_is_written(recipe: Path, tmp_path: Path) -> None:
    recipe.write_text(SOURCES + "ship: 1\n", encoding="utf-8")
    with pytest.raises(RecipeError, match="ship: unknown key"):
        open_context(str(recipe), RunOptions(out=f"{tmp_path}/out"))
    assert not (tmp_path / "out").exists()


def test_blending_again_needs_a_run(tmp_path: Path) -> None:
    for again in (blend_again, report_again):
        with pytest.raises(CurateError, match=r"no run here; start one with `curate run`"):
            again(RunOptions(out=str(tmp_path)))


def test_blending_again_needs_a_finished_run(tmp_path: Path) -> None:
    write_text(f"{tmp_path}/recipe.yaml", SOURCES)
    for again in (blend_again, report_again, partial(plan_blend_again, compare=None)):
        with pytest.raises(CurateError, match="no finished run here"):
            again(RunOptions(out=str(tmp_path)))


def test_blending_again_checks_its_overrides_first(tmp_path: Path) -> None:
    write_text(f"{tmp_path}/recipe.yaml", SOURCES)
    measured(make_context(tmp_path))
    with pytest.raises(RecipeError, match=r"blend\.nam: unknown key \(did you mean 'name'\?\)"):
        blend_again(RunOptions(out=str(tmp_path), overrides=["blend.nam=x"]))


def test_blending_again_waits_for_no_other_run(tmp_path: Path) -> None:
    write_text(f"{tmp_path}/recipe.yaml", SOURCES)
    measured(make_context(tmp_path))
    with only_run(RunFolder(str(tmp_path))), pytest.raises(CurateError, match="another run is working here"):
        blend_again(RunOptions(out=str(tmp_path)))


@pytest.fixture
def finished(tmp_path: Path, client: Client) -> RunContext:
    context = make_context(tmp_path)
    write_partition(context, MMC4, [doc("a", "words", Picture(number=1)), doc("b", "words", Picture(number=2))])
    write_partition(context, COYO, [pair("p", Picture(number=3, sides=(10, 10)))])
    write_text(f"{tmp_path}/recipe.yaml", dump_recipe(context.recipe))
    measured(context, MMC4, COYO)
    decide_into(client, context)
    return context


def on(client: Client, finished: RunContext, *overrides: str) -> RunOptions:
    """Return what the command line says of a run, on the cluster that is there."""
    return RunOptions(out=finished.folder.root, overrides=overrides, scheduler=client.scheduler.address)


def decide_into(client: Client, context: RunContext) -> None:
    """Decide, write the set of the context's recipe, and account for it."""
    workers = open_workers(client, context, Progress(context.folder, console=Console(file=io.StringIO())))
    built = decide_and_write(workers, context, load_manifest(context))
    account_for(workers, context, built.decided)


def test_the_account_is_written_again(finished: RunContext, client: Client) -> None:
    path = Path(finished.folder.file("ledger.json"))
    before = path.read_bytes()
    path.unlink()
    Path(finished.folder.file("report.html")).unlink()
    account = report_again(on(client, finished))
    assert path.read_bytes() == before
    assert account.ledger["totals"]["documents"]["kept"] == 3
    assert Path(finished.folder.file("report.html")).exists()
    assert verify(finished.folder.root) == []


def strict(context: RunContext) -> RunContext:
    """Return the run under a stricter rule, and with a set of another name."""
    overrides = ["blend.name=strict", "keep.image.size.min=100"]
    return replace(context, recipe=parse_recipe(dump_recipe(context.recipe), overrides=overrides))


def test_the_account_written_again_is_of_the_shard_set_that_was_decided_last(
    finished: RunContext, client: Client
) -> None:
    decide_into(client, strict(finished))
    assert verify(finished.folder.root) == []
    before = read_json(finished.folder.file("ledger.json"))
    report_again(on(client, finished))
    assert read_json(finished.folder.file("ledger.json")) == before
    assert verify(finished.folder.root) == []


def kept_by(finished: RunContext, name: str) -> int:
    """Return how many documents the ledger beside a set says that it has, having made sure that it adds up."""
    ledger = read_json(finished.folder.file("shards", name, "ledger.json"))
    assert check_ledger(ledger) == []
    assert ledger["shard_set"] == name
    kept: int = ledger["totals"]["documents"]["kept"]
    return kept


def test_two_sets_of_two_decisions_have_a_ledger_each(finished: RunContext, client: Client) -> None:
    decide_into(client, strict(finished))
    assert (kept_by(finished, "main"), kept_by(finished, "strict")) == (3, 2)
    decisions = [read_json(finished.folder.file("blend", f"{name}.json"))["decision"] for name in ("main", "strict")]
    assert len(set(decisions)) == 2
    assert {path.name for path in Path(finished.folder.file("decided")).iterdir()} == set(decisions)
    assert verify(finished.folder.root) == []


def test_the_account_of_any_set_is_written_again(finished: RunContext, client: Client) -> None:
    decide_into(client, strict(finished))
    own, other, root = (
        finished.folder.file(*at, "ledger.json") for at in (("shards", "main"), ("shards", "strict"), ())
    )
    files = [Path(own), Path(own).with_name("report.html")]
    before = [path.read_bytes() for path in files]
    of_other = Path(other).read_bytes()
    for path in files:
        path.unlink()
    shutil.rmtree(finished.folder.file("decided", read_json(other)["decision"]))
    account = report_again(on(client, finished), name="main")
    assert [path.read_bytes() for path in files] == before
    assert Path(other).read_bytes() == of_other
    assert account.ledger == read_json(own) == read_json(root)
    assert verify(finished.folder.root) == []
    assert report_again(on(client, finished), name="strict").ledger == read_json(other)
    assert Path(other).read_bytes() == of_other
    with pytest.raises(CurateError, match="no shard set absent here"):
        report_again(on(client, finished), name="absent")


def files_in(*folders: str) -> dict[Path, bytes]:
    return {path: path.read_bytes() for folder in folders for path in Path(folder).rglob("*") if path.is_file()}


def test_planning_alone_writes_no_set(finished: RunContext, client: Client) -> None:
    folders = [finished.folder.file(name) for name in ("shards", "blend", "facts")]
    before, ledger = files_in(*folders), Path(finished.folder.file("ledger.json")).read_bytes()
    overrides = ["keep.image.size.min=100", "blend.name=strict"]
    planned = plan_blend_again(on(client, finished, *overrides), compare="main")
    assert (planned.summary["samples"], planned.other_name) == (2, "main")
    assert files_in(*folders) == before
    assert Path(finished.folder.file("ledger.json")).read_bytes() == ledger
    assert verify(finished.folder.root) == []


def test_a_blend_that_cannot_be_planned_is_accounted_for_and_leaves_the_sets_alone(
    finished: RunContext, client: Client
) -> None:
    before = files_in(finished.folder.file("shards"))
    with pytest.raises(CurateError, match=r"and without it: blend\.total: 100 samples wanted"):
        blend_again(on(client, finished, "blend.total=100"))
    assert files_in(finished.folder.file("shards")) == before
    ledger = read_json(finished.folder.file("ledger.json"))
    assert (ledger["shard_set"], ledger["totals"]["documents"]["kept"]) == (None, 0)
    assert check_ledger(ledger) == []
    assert kept_by(finished, "main") == 3
    report_again(on(client, finished), name="main")
    assert verify(finished.folder.root) == []
