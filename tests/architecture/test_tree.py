"""The house rules that a reader counts on: tests beside their files, small files, names that say what is in them."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("curate", "filters", "shards", "pipelines", "train_bridge")
MAX_LINES = 400
TESTED_AS_A_WHOLE = {"pipelines/demo/run.py", "pipelines/session.py"}
"""The roads that tests/integration walks."""

SOURCES = sorted(path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
CODE = [path for path in SOURCES if path.name != "__init__.py"]


def test_there_is_code() -> None:
    assert len(CODE) > 100


@pytest.mark.parametrize("path", CODE, ids=str)
def test_what_does_something_has_a_test_in_the_folder_that_mirrors_its_own(path: Path) -> None:
    """In a file of its name, or in one that covers the folder's small files; what only declares needs none."""
    folder = ROOT / "tests" / path.parent
    if (folder / f"test_{path.stem}.py").exists() or str(path) in TESTED_AS_A_WHOLE or not does_something(path):
        return
    module = ".".join(path.with_suffix("").parts)
    assert any(module in imported_modules(test) for test in folder.glob("test_*.py")), f"no test in {folder}"


def does_something(path: Path) -> bool:
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(parse(ROOT / path)))


def imported_modules(path: Path) -> set[str]:
    return {node.module for node in ast.walk(parse(path)) if isinstance(node, ast.ImportFrom) and node.module}


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_no_file_is_long_or_vague(path: Path) -> None:
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= MAX_LINES
    assert path.stem not in {"utils", "util", "helpers", "common", "misc"}
