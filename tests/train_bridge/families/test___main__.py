from pathlib import Path

import pytest

from train_bridge.families.__main__ import main
from train_bridge.families.table import BEGIN, END, LANGUAGE_HEAD


@pytest.mark.slow
def test_tables_are_written_into_a_document(tmp_path: Path) -> None:
    document = tmp_path / "training.md"
    document.write_text(f"{BEGIN}\n{END}\n")
    assert main(["--write", str(document)]) == 0
    assert LANGUAGE_HEAD in document.read_text()


def test_a_document_that_is_not_there_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--write", str(tmp_path / "none.md")]) == 1
    assert "none.md" in capsys.readouterr().err
