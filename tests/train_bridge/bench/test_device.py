import dataclasses
import json
from pathlib import Path

import pytest
import torch

from train_bridge.bench.device import MAX_GROWTH_BYTES, SMALL, Report, find_faults, main, measure_all
from train_bridge.training.ranks import joined_ranks

SOUND = {
    "attention": {"flex": {"loss": 5.0, "loss_error": 0.001, "gradient_error": 0.01}, "seconds": 1.0},
    "soak": {"first_loss": 5.0, "last_loss": 4.0, "memory_growth_bytes": 0.0, "seconds": 1.0},
}


def test_sound_figures_have_no_faults() -> None:
    assert find_faults(SOUND) == []


@pytest.mark.parametrize(
    ("part", "values", "fault"),
    [
        ("soak", {"last_loss": 5.5}, "the loss went from 5.0 to 5.5"),
        ("soak", {"last_loss": float("nan")}, "the loss went from 5.0 to nan"),
        ("soak", {"memory_growth_bytes": MAX_GROWTH_BYTES + 1}, "memory grew by"),
        ("soak", {"failed": "out of memory"}, "soak: out of memory"),
        ("attention", {"flex": {"loss_error": 0.2, "gradient_error": 0.01}}, "attention flex is off by 20.00%, 1.00%"),
        ("attention", {"flex": {"loss_error": 0.0, "gradient_error": float("nan")}}, "attention flex is off"),
        ("attention", {"left_out": "no time"}, "attention: no time"),
    ],
)
def test_what_is_wrong_is_named(part: str, values: dict[str, object], fault: str) -> None:
    (found,) = find_faults({**SOUND, part: {**SOUND[part], **values}})  # type: ignore[dict-item]
    assert fault in found


def test_parts_are_written_as_they_come_and_left_out_when_there_is_no_time(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"

    def fail() -> dict[str, object]:
        raise RuntimeError("out of\nmemory")

    Report(str(path), budget_s=60).measure("part", lambda: {"value": 1})
    assert json.loads(path.read_text())["part"]["value"] == 1
    report = Report(str(path), budget_s=60)
    report.measure("part", fail)
    assert json.loads(path.read_text())["part"]["failed"] == "out of memory"
    Report(str(path), budget_s=-1).measure("part", fail)
    assert json.loads(path.read_text()) == {"part": {"left_out": "no time"}}


def test_without_a_gpu_nothing_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    assert main(["--out", str(tmp_path / "figures.json")]) == 2
    assert "no CUDA device" in capsys.readouterr().err


@pytest.mark.slow
def test_all_parts_are_measured_small(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    sizes = dataclasses.replace(SMALL, soak_steps=6, variant_steps=2, num_docs=40)
    with joined_ranks() as ranks:
        measure_all(
            Report(str(path), budget_s=600), str(tmp_path), ranks=ranks, sizes=sizes, variants=("nothing_recomputed",)
        )
    found = json.loads(path.read_text())
    assert found.keys() == {
        "device", "torch", "attention", "soak", "head", "long_sequences", "nothing_recomputed",
    }  # fmt: skip
    assert find_faults(found) == []
    assert [name for name, part in found.items() if "failed" in part] == []
