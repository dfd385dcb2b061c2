import json
import shutil
from pathlib import Path

import fsspec
import pytest
import yaml

from tests.train_bridge.conftest import stage_config
from train_bridge import count_tokens
from train_bridge.count_tokens import main
from train_bridge.data import lengths
from train_bridge.training.prepare import prepare
from train_bridge.training.ranks import joined_ranks


@pytest.fixture
def shards(shard_folder: str, tmp_path: Path) -> str:
    return str(shutil.copytree(shard_folder, tmp_path / "set"))


def write_stage(shards: str, folder: Path) -> str:
    config = stage_config(shards, folder / "run").model_dump(mode="json")
    path = folder / "stage.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return str(path)


def test_a_run_finds_what_was_counted_beside_the_set(
    shards: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main([write_stage(shards, tmp_path), "--processes", "1"]) == 0
    said = capsys.readouterr()
    (path,) = Path(shards, "token_counts").glob("lengths-*.arrow")
    assert said.out == f"{shards}: counted, in {path}\n"
    assert "48 of 48 samples" in said.err
    monkeypatch.setattr(lengths, "open_counter", None)
    with joined_ranks() as ranks:
        prepared = prepare(stage_config(shards, tmp_path / "run"), ranks=ranks)
    assert prepared.spec.length_paths == (str(path),)
    assert sorted(file.name[:5] for file in Path(shards, "token_counts").iterdir()) == ["count", "index", "lengt"]


def test_counts_of_a_remote_set_are_put_beside_it(shards: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = fsspec.filesystem("memory")
    for file in Path(shards).iterdir():
        system.pipe_file(f"/counted-remote/{file.name}", file.read_bytes())
    assert main([write_stage("memory://counted-remote", tmp_path)]) == 0
    shutil.rmtree(tmp_path / "run" / "cache")
    monkeypatch.setattr(lengths, "open_counter", None)
    with joined_ranks() as ranks:
        prepared = prepare(stage_config("memory://counted-remote", tmp_path / "run"), ranks=ranks)
    assert len(list((tmp_path / "run" / "cache").glob("lengths-*.arrow"))) == len(prepared.spec.length_paths) == 1


def test_parts_that_several_machines_count_become_the_file_that_one_counts(
    shards: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = str(shutil.copytree(shards, tmp_path / "copy"))
    (tmp_path / "one").mkdir()
    assert main([write_stage(copy, tmp_path / "one"), "--block-rows", "20", "--processes", "1"]) == 0
    stage = [write_stage(shards, tmp_path), "--block-rows", "20"]
    capsys.readouterr()
    assert main([*stage, "--list"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"folder": shards, "rows": [[0, 20], [20, 40], [40, 60]]}
    for part in ("0:20:60", "0:0:20"):
        assert main([*stage, "--only", part]) == 0
    assert main([*stage, "--list"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == []
    assert main(stage) == 0
    names = sorted(path.name for path in Path(copy, "token_counts").glob("*.arrow"))
    assert sorted(path.name for path in Path(shards, "token_counts").glob("*.arrow*")) == names
    for name in names:
        assert Path(shards, "token_counts", name).read_bytes() == Path(copy, "token_counts", name).read_bytes()


def test_parts_of_a_remote_set_are_put_beside_it_and_go_when_it_is_counted(shards: str, tmp_path: Path) -> None:
    system = fsspec.filesystem("memory")
    for file in Path(shards).iterdir():
        system.pipe_file(f"/counted-in-parts/{file.name}", file.read_bytes())
    stages = []
    for machine in ("a", "b"):
        (tmp_path / machine).mkdir()
        stages.append([write_stage("memory://counted-in-parts", tmp_path / machine), "--block-rows", "24"])
    assert main([*stages[0], "--only", "0:0:24"]) == 0
    assert main([*stages[1], "--only", "0:24:48"]) == 0

    def beside() -> list[str]:
        return sorted(name.rpartition("/")[2] for name in system.ls("/counted-in-parts/token_counts", detail=False))

    assert [name.partition(".arrow.part")[2] for name in beside() if "part" in name] == ["-0", "-24"]
    assert main(stages[0]) == 0
    assert [name[:5] for name in beside()] == ["count", "index", "lengt"]


def test_mistakes_are_told_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([write_stage(str(tmp_path / "nowhere"), tmp_path)]) == 1
    assert "no index.parquet here" in capsys.readouterr().err
    assert main([write_stage(str(tmp_path), tmp_path), "--set", "optim.lr=fast"]) == 2
    assert count_tokens.__doc__
