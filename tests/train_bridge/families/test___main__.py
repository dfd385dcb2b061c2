import shutil
from pathlib import Path

import pytest

from train_bridge.families.__main__ import main

DOCUMENT = Path(__file__).parents[3] / "docs/training.md"


@pytest.mark.slow
def test_the_document_says_what_is_measured(tmp_path: Path) -> None:
    copy = tmp_path / "training.md"
    shutil.copy(DOCUMENT, copy)
    assert main(["--write", str(copy)]) == 0
    told = "renew it: python -m train_bridge.families --write docs/training.md"
    assert copy.read_text(encoding="utf-8") == DOCUMENT.read_text(encoding="utf-8"), told


@pytest.mark.parametrize(("text", "fault"), [(None, "none.md"), ("no marks", "no place for the tables")])
def test_a_document_without_a_place_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, fault: str
) -> None:
    path = tmp_path / "none.md"
    if text is not None:
        path.write_text(text)
    assert main(["--write", str(path)]) == 1
    assert fault in capsys.readouterr().err
