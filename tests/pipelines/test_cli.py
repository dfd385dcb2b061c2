import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from curate.contract.errors import BlendError, CurateError, RecipeError
from pipelines.cli import _errors_to_exit_codes, app
from pipelines.run.folder import write_json
from tests.pipelines.corpus import SOURCES

COMMANDS = {
    "run": [
        "recipe",
        "--out",
        "--set",
        "--limit",
        "--workers",
        "--scheduler",
        "--dry-run",
        "--retry-failed",
        "--debug",
    ],
    "init": ["files", "--out", "--debug"],
    "schema": ["--markdown", "--debug"],
    "status": ["out", "--json", "--debug"],
    "blend": ["out", "--name", "--set", "--workers", "--scheduler", "--dry-run", "--compare", "--debug"],
    "verify": ["path", "--deep", "--repair-index", "--workers", "--scheduler", "--debug"],
    "report": ["out", "--name", "--workers", "--scheduler", "--debug"],
    "remove": ["out", "--urls", "--hosts", "--domains", "--sha256", "--workers", "--scheduler", "--debug"],
    "clean": ["out", "--yes", "--debug"],
    "export": ["shards", "--format", "--out", "--debug"],
    "demo": ["--out", "--docs", "--workers", "--debug"],
    "count-tokens": ["stage", "--set", "--processes", "--scheduler", "--debug"],
    "train": [
        "stage",
        "--set",
        "--resume",
        "--plan-only",
        "--nproc",
        "--nnodes",
        "--rdzv-endpoint",
        "--debug",
    ],
    "bench": ["names", "--json", "--docs", "--cosine", "--out", "--debug"],
}


def curate(*words: str) -> Any:
    return CliRunner().invoke(app, list(words))


def test_commands_and_options_are_what_people_have_in_their_scripts() -> None:
    group: Any = typer.main.get_command(app)
    found = {name: [parameter.opts[0] for parameter in command.params] for name, command in group.commands.items()}
    assert found == COMMANDS


@pytest.mark.parametrize("words", [[], ["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_says_what_every_command_does(words: Sequence[str]) -> None:
    result = curate(*words)
    assert result.exit_code == (0 if words else 2)
    assert "Usage:" in result.output


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(SOURCES, encoding="utf-8")
    return path


def test_a_dry_run_lists_the_input_and_writes_nothing(recipe: Path, tmp_path: Path) -> None:
    result = curate("run", str(recipe), "--dry-run", "--out", f"{tmp_path}/out")
    assert result.exit_code == 0
    assert "coyo.csv" in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


def test_a_wrong_recipe_is_2_and_every_fault_is_named(recipe: Path) -> None:
    recipe.write_text(SOURCES + "ship: 1\nblen: 2\n", encoding="utf-8")
    result = curate("run", str(recipe), "--dry-run")
    assert (result.exit_code, result.stdout) == (2, "")
    headline, ship, blen = result.stderr.splitlines()
    assert headline == "the recipe cannot be run"
    assert ship.startswith("  ship: unknown key (there are: admit, blend, ")
    assert blen == "  blen: unknown key (did you mean 'blend'?)"


@pytest.mark.parametrize("override", ["blend.sed=1", "sources.nobody.path=x", "blend", "blend.name=[a"])
def test_a_wrong_set_is_2(recipe: Path, override: str) -> None:
    assert curate("run", str(recipe), "--dry-run", "--set", override).exit_code == 2


def test_set_may_be_given_more_than_once(recipe: Path) -> None:
    words = ["--set", "sources.coyo.path=one.csv", "--set", "sources.flan.path=two.jsonl"]
    result = curate("run", str(recipe), "--dry-run", *words)
    assert result.exit_code == 0
    assert "one.csv" in result.stdout
    assert "two.jsonl" in result.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["run"],
        ["run", "none.yaml"],
        ["run", "none.yaml", "--workers", "0"],
        ["nonsense"],
        ["status"],
        ["blend", "none"],
        ["report", "none"],
        ["demo", "--docs", "3"],
        ["bench", "nonsense"],
        ["init", "none.xyz"],
    ],
)
def test_wrong_usage_is_2(words: Sequence[str]) -> None:
    assert curate(*words).exit_code == 2


def test_nothing_to_show_or_verify_is_1(tmp_path: Path) -> None:
    for command in ("status", "verify"):
        result = curate(command, str(tmp_path))
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("failed\n  ")


def test_status_shows_what_there_is(tmp_path: Path) -> None:
    write_json(f"{tmp_path}/state.json", {"status": "done", "phase": "shards", "done": 1, "total": 1})
    assert curate("status", str(tmp_path)).stdout == "done: shards, 1 of 1 tasks\n"
    assert json.loads(curate("status", str(tmp_path), "--json").stdout)["state"]["status"] == "done"


def test_faults_that_verify_finds_are_1_and_said_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "shards" / "[red]main").mkdir(parents=True)
    result = curate("verify", str(tmp_path))
    assert result.exit_code == 1
    assert "shards/[red]main: " in result.stderr
    assert "ledger.json: missing" in result.stderr
    assert "good" not in result.stdout


def test_a_dry_run_needs_no_address_but_asks_for_one(tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").write_text('{"url": "http://a.example/1.jpg", "text": "a cat"}\n' * 3, encoding="utf-8")
    assert curate("init", f"{tmp_path}/pairs.jsonl", "--out", f"{tmp_path}/mine.yaml").exit_code == 0
    assert (
        (tmp_path / "mine.yaml").read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=recipe.schema")
    )
    assert json.loads((tmp_path / "recipe.schema.json").read_text(encoding="utf-8"))["title"] == "Recipe"
    result = curate("run", f"{tmp_path}/mine.yaml", "--dry-run")
    assert result.exit_code == 0
    assert "hosts that would be asked: 1, most often a.example (3)" in result.stdout
    assert "fetch.contact: to be set before it runs" in result.stdout
    assert curate("run", f"{tmp_path}/mine.yaml", "--out", f"{tmp_path}/out").exit_code == 2


def test_the_schema_is_printed_both_ways() -> None:
    assert json.loads(curate("schema").stdout)["title"] == "Recipe"
    assert curate("schema", "--markdown").stdout.startswith("# Recipes")


def test_init_writes_a_recipe_that_runs(tmp_path: Path) -> None:
    (tmp_path / "flan.jsonl").write_text('{"instruction": "say yes", "output": "yes"}\n', encoding="utf-8")
    result = curate("init", f"{tmp_path}/flan.jsonl", "--out", f"{tmp_path}/mine.yaml")
    assert result.exit_code == 0
    assert curate("run", f"{tmp_path}/mine.yaml", "--dry-run").exit_code == 0


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RecipeError(("a: wrong", "b: wrong [/x]")), 2),
        (BlendError("too little [red]"), 2),
        (CurateError("no disk\n[/] left"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_every_error_of_ours_has_its_exit_code(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as caught, _errors_to_exit_codes(debug=False):
        raise error
    assert caught.value.exit_code == code
    shown = capsys.readouterr().err
    assert all(line in shown for line in str(error).splitlines())
    assert "Traceback" not in shown


def test_debug_shows_where(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), _errors_to_exit_codes(debug=True):
        raise CurateError("no disk")
    assert "Traceback" in capsys.readouterr().err


def test_other_errors_are_ours_to_mend_and_pass_through() -> None:
    with pytest.raises(ZeroDivisionError), _errors_to_exit_codes(debug=False):
        raise ZeroDivisionError
