import io
from dataclasses import replace
from pathlib import Path

import pytest
from distributed import Client
from rich.console import Console

from curate.contract.errors import CurateError, RecipeError
from pipelines.account import account_for
from pipelines.build import decide_and_write
from pipelines.recipes.load import dump_recipe, parse_recipe
from pipelines.run.context import RunContext
from pipelines.run.folder import RunFolder, read_json, write_json, write_text
from pipelines.run.progress import Progress
from pipelines.session import RunOptions, _only_run, blend_again, open_context, report_again
from pipelines.verify import verify
from tests.pipelines.corpus import SOURCES, Picture, doc, make_context, pair, write_partition

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


def test_one_run_at_a_time_works_in_a_folder(tmp_path: Path) -> None:
    folder, other = RunFolder(f"{tmp_path}/a"), RunFolder(f"{tmp_path}/b")
    with _only_run(folder), _only_run(other):  # noqa: SIM117 - only the last one is refused
        with pytest.raises(CurateError, match="/a: another run is working here"), _only_run(folder):
            pytest.fail("two runs in one folder")
    with _only_run(folder):
        pass


def test_the_lock_is_given_back_when_a_run_breaks(tmp_path: Path) -> None:
    folder = RunFolder(str(tmp_path))
    with pytest.raises(KeyboardInterrupt), _only_run(folder):
        raise KeyboardInterrupt
    with _only_run(folder):
        pass


def test_a_folder_elsewhere_has_no_lock() -> None:
    with _only_run(RunFolder("memory://session-test")), _only_run(RunFolder("memory://session-test")):
        pass


def test_blending_again_needs_a_run(tmp_path: Path) -> None:
    for again in (blend_again, report_again):
        with pytest.raises(CurateError, match=r"no run here; start one with `curate run`"):
            again(RunOptions(out=str(tmp_path)))


def test_blending_again_needs_a_finished_run(tmp_path: Path) -> None:
    write_text(f"{tmp_path}/recipe.yaml", SOURCES)
    for again in (blend_again, report_again):
        with pytest.raises(CurateError, match="no finished run here"):
            again(RunOptions(out=str(tmp_path)))


def test_blending_again_checks_its_overrides_first(tmp_path: Path) -> None:
    write_text(f"{tmp_path}/recipe.yaml", SOURCES)
    write_json(f"{tmp_path}/partitions.json", [MMC4])
    with pytest.raises(RecipeError, match=r"blend\.nam: unknown key \(did you mean 'name'\?\)"):
        blend_again(RunOptions(out=str(tmp_path), overrides=["blend.nam=x"]))


def test_blending_again_waits_for_no_other_run(tmp_path: Path) -> None:
    write_text(f"{tmp_path}/recipe.yaml", SOURCES)
    write_json(f"{tmp_path}/partitions.json", [MMC4])
    with _only_run(RunFolder(str(tmp_path))), pytest.raises(CurateError, match="another run is working here"):
        blend_again(RunOptions(out=str(tmp_path)))


@pytest.fixture
def finished(tmp_path: Path, client: Client) -> RunContext:
    context = make_context(tmp_path)
    write_partition(context, MMC4, [doc("a", "words", Picture(number=1)), doc("b", "words", Picture(number=2))])
    write_partition(context, COYO, [pair("p", Picture(number=3, sides=(10, 10)))])
    write_text(f"{tmp_path}/recipe.yaml", dump_recipe(context.recipe))
    write_json(f"{tmp_path}/partitions.json", [MMC4, COYO])
    decide_into(client, context)
    return context


def decide_into(client: Client, context: RunContext) -> None:
    progress = Progress(context.folder, console=Console(file=io.StringIO()))
    decide_and_write(client, context, progress, (MMC4, COYO))
    account_for(context, (MMC4, COYO))


def test_the_account_is_written_again(finished: RunContext) -> None:
    path = Path(finished.folder.file("ledger.json"))
    before = path.read_bytes()
    path.unlink()
    Path(finished.folder.file("report.html")).unlink()
    account = report_again(RunOptions(out=finished.folder.root))
    assert path.read_bytes() == before
    assert account.ledger["totals"]["documents"]["kept"] == 3
    assert Path(finished.folder.file("report.html")).exists()
    assert verify(finished.folder.root) == []


def test_the_account_written_again_is_of_the_shard_set_that_was_decided_last(
    finished: RunContext, client: Client
) -> None:
    overrides = ["blend.name=strict", "keep.image.size.min=100"]
    decide_into(client, replace(finished, recipe=parse_recipe(dump_recipe(finished.recipe), overrides=overrides)))
    assert verify(finished.folder.root) == []
    before = read_json(finished.folder.file("ledger.json"))
    report_again(RunOptions(out=finished.folder.root))
    assert read_json(finished.folder.file("ledger.json")) == before
    assert verify(finished.folder.root) == []
