import json
from pathlib import Path

import pytest

from train_bridge.evaluate.__main__ import main


def test_few_shot_results_are_written(
    exported: str, questions_folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [exported, "--shards", questions_folder, "--task", "caption", "--shots", "0,2", "--limit", "2"]
    arguments += [
        "--max-new-tokens",
        "2",
        "--out",
        f"{tmp_path}/out/result.json",
        "--answers",
        f"{tmp_path}/said.jsonl",
    ]
    assert main(arguments) == 0
    content = json.loads((tmp_path / "out" / "result.json").read_text())
    assert content == json.loads(capsys.readouterr().out)
    assert [result["shots"] for result in content["results"]] == [0, 2]
    assert content["not_examples"] == 16
    assert len((tmp_path / "said.jsonl").read_text().splitlines()) == 4


def test_the_loss_is_written_by_source(exported: str, shard_folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([exported, "--shards", shard_folder, "--task", "loss", "--seq-length", "64"]) == 0
    assert json.loads(capsys.readouterr().out)["sources"].keys() == {
        "captions / pair",
        "chat / text",
        "pages / interleaved",
    }


@pytest.mark.parametrize(("model", "shards"), [("/nowhere/at/all", None), (None, "nowhere")])
def test_what_cannot_be_read_is_an_error(
    exported: str, questions_folder: str, capsys: pytest.CaptureFixture[str], model: str | None, shards: str | None
) -> None:
    assert main([model or exported, "--shards", shards or questions_folder, "--task", "vqa"]) == 1
    assert "nowhere" in capsys.readouterr().err
