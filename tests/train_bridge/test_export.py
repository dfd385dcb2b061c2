import json
from pathlib import Path

import pytest
import torch
import yaml
from transformers import LlavaForConditionalGeneration

from tests.train_bridge.conftest import stage_config
from train_bridge.__main__ import main as train
from train_bridge.export import main
from train_bridge.training.metrics import read_metrics


@pytest.fixture(scope="module")
def run(shard_folder: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of which only the projector learned, with checkpoints after steps 2 and 4."""
    folder = tmp_path_factory.mktemp("export")
    config = stage_config(
        shard_folder,
        folder / "out",
        model={"trainable": ["projector"]},
        optim={"max_steps": 4, "schedule": "constant"},
        run={"checkpoint_every": 2},
    )
    (folder / "stage.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")))
    assert train([str(folder / "stage.yaml")]) == 0
    return folder / "out"


def test_the_newest_checkpoint_is_the_model_that_the_run_exported(run: Path, tmp_path: Path) -> None:
    assert main([str(run), "--out", str(tmp_path / "model")]) == 0
    own, final = (LlavaForConditionalGeneration.from_pretrained(path) for path in (tmp_path / "model", run / "final"))
    for name, weight in final.state_dict().items():
        assert torch.equal(own.state_dict()[name], weight), name
    assert own.generation_config.eos_token_id == final.generation_config.eos_token_id


def test_an_older_one_is_another_model(run: Path, tmp_path: Path) -> None:
    assert main([str(run), "--step", "2", "--out", str(tmp_path / "model")]) == 0
    own, final = (LlavaForConditionalGeneration.from_pretrained(path) for path in (tmp_path / "model", run / "final"))
    changed = {n for n, weight in final.state_dict().items() if not torch.equal(own.state_dict()[n], weight)}
    assert changed
    assert all("multi_modal_projector" in name for name in changed)


def test_what_is_not_there_or_there_already_is_wrong_usage(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(run), "--step", "3", "--out", str(tmp_path / "model")]) == 2
    assert "no checkpoint of step 3; there are: 2, 4" in capsys.readouterr().err
    assert main([str(tmp_path), "--out", str(tmp_path / "model")]) == 2
    assert main([str(run), "--out", str(run)]) == 2


def test_a_run_goes_on_with_more_steps_and_another_rate(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage = str(run.parent / "stage.yaml")
    before = read_metrics(run)
    changes = ["optim.max_steps=6", "optim.lr=1.0e-4", "optim.schedule=linear"]
    assert train([stage, "--resume", *(part for change in changes for part in ("--set", change))]) == 0
    text = capsys.readouterr().out
    assert "changed: optim.max_steps was 4, is 6" in text
    assert "changed: optim.schedule was constant, is linear" in text
    after = read_metrics(run)
    assert after[:4] == before
    assert [record["step"] for record in after] == list(range(1, 7))
    assert after[4]["lr"] == pytest.approx(1e-4 * (1 - (4 - 1) / 5), rel=0.2)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert any("optim.lr was" in change for line in lines for change in line.get("changed", []))
    kept = (run / "stage.yaml").read_text()
    assert train([stage, "--resume", "--set", "data.max_images=1"]) == 1
    assert "data.max_images was" in capsys.readouterr().err
    assert (run / "stage.yaml").read_text() == kept  # of the run that the checkpoints are of


def test_a_model_is_written_for_another_target(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(run), "--for", "vila", "--out", str(tmp_path / "vila")]) == 0
    assert (tmp_path / "vila" / "mm_projector" / "model.safetensors").exists()
    assert main([str(run / "final"), "--for", "vllm", "--dtype", "bf16", "--out", str(tmp_path / "vllm")]) == 0
    assert json.loads((tmp_path / "vllm" / "config.json").read_text())["dtype"] == "bfloat16"
    capsys.readouterr()
    assert main([str(run / "final"), "--for", "nvila", "--out", str(tmp_path / "nvila")]) == 2
    assert "run.export_for: nvila: it knows the language model qwen2 alone" in capsys.readouterr().err
    # A run that began from a folder names no projector, and is found again by its stage.
    stage = yaml.safe_load((run / "stage.yaml").read_text())
    stage |= {"init_from": str(tmp_path / "vila"), "output": str(tmp_path / "next"), "model": {}}
    (tmp_path / "next.yaml").write_text(yaml.safe_dump(stage | {"optim": stage["optim"] | {"max_steps": 1}}))
    assert train([str(tmp_path / "next.yaml")]) == 0
    assert main([str(tmp_path / "next"), "--out", str(tmp_path / "last")]) == 0
