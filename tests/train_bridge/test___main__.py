import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.rank_processes import DEADLINE_S, finish, start_ranks
from tests.train_bridge.conftest import stage_config
from train_bridge.__main__ import main
from train_bridge.training.metrics import read_metrics


@pytest.fixture
def stage(shard_folder: str, tmp_path: Path) -> str:
    config = stage_config(shard_folder, tmp_path / "out", optim={"max_steps": 4})
    path = tmp_path / "stage.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    return str(path)


def test_a_stage_runs_once_and_resumes_as_done(stage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([stage]) == 0
    assert "step 4/4" in capsys.readouterr().out
    assert yaml.safe_load((tmp_path / "out" / "stage.yaml").read_text())["optim"]["max_steps"] == 4
    assert main([stage]) == 2
    assert "--resume" in capsys.readouterr().err
    assert main([stage, "--resume"]) == 0
    assert len(read_metrics(tmp_path / "out")) == 4


def test_the_plan_is_printed_without_training(stage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([stage, "--plan-only", "--set", "optim.max_steps=null"]) == 0
    text = capsys.readouterr().out
    assert "captions / pair" in text
    assert "fill" in text
    assert not (tmp_path / "out" / "final").exists()


@pytest.mark.parametrize(
    ("override", "code", "message"),
    [
        ("optim.rate=3", 2, "optim.rate: unknown key"),
        ("data.shards=nowhere", 1, "nowhere"),
        ("optim.micro_batch=3", 2, "not a multiple"),
    ],
)
def test_errors_are_one_block_with_their_code(
    stage: str, capsys: pytest.CaptureFixture[str], override: str, code: int, message: str
) -> None:
    assert main([stage, "--set", override]) == code
    text = capsys.readouterr().err
    assert text.startswith("error: ")
    assert message in text
    assert "Traceback" not in text


def test_unknown_options_are_wrong_usage() -> None:
    with pytest.raises(SystemExit) as caught:
        main(["stage.yaml", "--no-such-option"])
    assert caught.value.code == 2


@pytest.mark.slow
def test_two_ranks_learn_what_one_does_and_one_goes_on_alone(stage: str, tmp_path: Path) -> None:
    output = tmp_path / "two"
    # Two steps of a four-step schedule on two sharded ranks; the pack of step 2 is text alone on one of them.
    assert main([stage]) == 0
    arguments = [stage, "--set", f"output={output}", "--set", "run.keep_checkpoints=9"]
    assert finish(start_ranks(arguments, num_ranks=2)) == [0, 0]
    alone, together = read_metrics(tmp_path / "out"), read_metrics(output)
    assert [r["loss"] for r in together] == pytest.approx([r["loss"] for r in alone], abs=1e-5)
    assert [r["tokens"] for r in together] == [r["tokens"] for r in alone]
    for name in ("final", "checkpoints/step-00000004"):
        (output / name).rename(output / f"old-{Path(name).name}")
    assert main([stage, "--resume", "--set", f"output={output}"]) == 0
    assert [r["loss"] for r in read_metrics(output)] == pytest.approx([r["loss"] for r in alone], abs=1e-5)


@pytest.mark.slow
def test_sigterm_saves_and_exits_with_0(stage: str, tmp_path: Path) -> None:
    output = tmp_path / "out"
    endless = ["--set", "optim.max_steps=100000", "--set", "run.checkpoint_every=100000"]
    (process,) = start_ranks([stage, *endless], num_ranks=1)
    deadline = time.monotonic() + DEADLINE_S
    while not read_metrics(output):
        assert process.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.terminate()
    assert finish([process]) == [0]
    (saved,) = (output / "checkpoints").iterdir()
    progress: dict[str, Any] = json.loads((saved / "progress.json").read_text())
    assert progress["step"] == read_metrics(output)[-1]["step"] > 0
