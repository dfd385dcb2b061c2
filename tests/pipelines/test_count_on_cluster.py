import shutil
from pathlib import Path

import pytest
import yaml
from distributed import Client

from curate.contract.errors import CurateError
from pipelines import count_on_cluster as counting
from pipelines import train_command
from pipelines.count_on_cluster import count_on_cluster, gather
from pipelines.train_command import count_command, run_module
from tests.train_bridge.conftest import make_sample, stage_config, write_set


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_command, "COUNTER", "tests.pipelines.stub_counter")


@pytest.mark.usefixtures("stub")
@pytest.mark.parametrize("few_blocks", [1, 64])
def test_what_is_not_counted_is_counted_by_workers_and_no_more(
    client: Client, tmp_path: Path, few_blocks: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(counting, "FEW_BLOCKS", few_blocks)
    stage = tmp_path / "stage.yaml"
    stage.touch()
    (tmp_path / "0.10").write_text("before", encoding="utf-8")
    address = client.scheduler.address
    assert count_on_cluster(str(stage), ["--set", "a.b=1"], scheduler=address) == 5
    parts = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.glob("?.*")}
    assert sorted(parts) == ["0.0", "0.10", "0.20", "1.0", "1.10", "1.20"]
    assert parts.pop("0.10") == "before"
    assert all(said.startswith("--set a.b=1 --only ") for said in parts.values())
    num_tasks = 3 if few_blocks == 1 else 5
    assert f"count tokens: {num_tasks} of {num_tasks} tasks" in capsys.readouterr().err
    assert count_on_cluster(str(stage), scheduler="tcp://nobody:1") == 0


@pytest.mark.usefixtures("stub")
def test_parts_that_cannot_be_counted_are_named(client: Client, tmp_path: Path) -> None:
    (tmp_path / "stage.yaml").write_text("broken", encoding="utf-8")
    with pytest.raises(CurateError) as caught:
        count_on_cluster(str(tmp_path / "stage.yaml"), scheduler=client.scheduler.address)
    assert "failed on 1 partitions (1:10:20): CurateError: exit code 1: error: row 10 of set 1" in str(caught.value)
    assert sorted(path.name for path in tmp_path.glob("0.*")) == ["0.0", "0.10", "0.20"]


def test_neighbours_of_one_set_are_counted_together() -> None:
    blocks = [(0, 0, 10), (0, 10, 20), (0, 20, 30), (0, 40, 50), (1, 50, 60), (1, 60, 70)]
    assert gather(blocks, max_blocks=2) == [(0, 0, 20), (0, 20, 30), (0, 40, 50), (1, 50, 70)]
    assert gather(blocks, max_blocks=1) == blocks
    assert gather([], max_blocks=4) == []


@pytest.mark.slow
def test_workers_count_what_one_machine_does(client: Client, tmp_path: Path) -> None:
    folders = [Path(write_set(tmp_path / "here", [make_sample(number) for number in range(12)]))]
    folders.append(shutil.copytree(folders[0], tmp_path / "cluster"))
    commands = []
    for folder in folders:
        config = stage_config(str(folder), tmp_path / f"run-{folder.name}").model_dump(mode="json")
        stage = tmp_path / f"{folder.name}.yaml"
        stage.write_text(yaml.safe_dump(config), encoding="utf-8")
        commands.append(count_command(str(stage), ["--block-rows", "6"]))
    assert count_on_cluster(commands[1][3], commands[1][4:], scheduler=client.scheduler.address) == 2
    assert len(list(folders[1].glob("token_counts/*.part-*"))) == 2
    for command in commands:
        run_module(command, str(Path.cwd()))
    here, cluster = (
        {path.name: path.read_bytes() for path in folder.glob("token_counts/*.arrow*")} for folder in folders
    )
    assert here == cluster != {}
