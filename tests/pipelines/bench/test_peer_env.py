from pathlib import Path

import pytest

from pipelines.bench.peer_env import peer_python


def test_an_environment_that_is_there_is_used_as_it_is(tmp_path: Path) -> None:
    made = tmp_path / "peer"
    made.mkdir()
    (made / ".installed").write_text("peer==1")
    assert peer_python("peer", "peer==1", folder=tmp_path) == made / "bin" / "python"
    assert [path.name for path in made.iterdir()] == [".installed"]


def test_what_cannot_be_installed_is_no_peer(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert peer_python("peer", str(tmp_path / "absent.whl"), folder=tmp_path) is None
    assert "peer cannot be installed" in capfd.readouterr().err
    assert not (tmp_path / "peer" / ".installed").exists()
