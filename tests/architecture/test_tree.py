"""The house rules that a reader counts on: a test file per source file, small files, nothing hidden in packages."""

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
def test_every_source_file_has_its_test_file(path: Path) -> None:
    test = ROOT / "tests" / path.parent / f"test_{path.stem}.py"
    assert test.exists() or str(path) in TESTED_AS_A_WHOLE


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_no_file_is_long_or_vague(path: Path) -> None:
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= MAX_LINES
    assert path.stem not in {"utils", "util", "helpers", "common", "misc"}
