"""Folders of the VILA family are continued through stage 2 and written back in the layout that they came in."""

import io
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image

from shards.sample import Sample, SampleImage, SampleText
from tests.train_bridge.checkpoints.folders import write_nvila, write_vila, write_vila_v1
from tests.train_bridge.checkpoints.test_vila_folders import LITE, NVILA, tensors_of
from tests.train_bridge.conftest import write_set
from train_bridge.__main__ import main as train
from train_bridge.checkpoints.layouts import find_layout
from train_bridge.evaluate.__main__ import main as evaluate
from train_bridge.training.metrics import read_metrics


def picture(colour: str, size: tuple[int, int]) -> SampleImage:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return SampleImage(data=buffer.getvalue(), image_id=f"{colour}{size}", url=None, width=size[0], height=size[1])


def chats(folder: Path) -> str:
    """Write conversations about a picture or two, of several shapes."""
    samples = []
    for number in range(6):
        size = ((40, 30), (90, 30), (28, 28))[number % 3]
        items: list[SampleText | SampleImage] = [
            *(picture(colour, size) for colour in ("red", "blue")[: 1 + number % 2]),
            SampleText("Which colour?", "user"),
            SampleText(f"It is red, number {number}.", "assistant"),
        ]
        samples.append(Sample(doc_id=f"{number:016x}", kind="text", source="chat", url=None, items=items))
    return write_set(folder, samples)


def stage(folder: Path, shards: str, model: Path, **sections: Any) -> Path:
    """Write a stage of one step that learns from all documents at once."""
    content: dict[str, Any] = {
        "output": str(folder / "out"),
        "init_from": str(model),
        "model": {"trainable": ["projector", "llm"]},
        "data": {"shards": shards, "labels": "assistant"},
        "pack": {"seq_length": 4096},
        "optim": {"lr": 1e-3, "global_batch": 1, "epochs": 1},
        "run": {"num_workers": 0, "tensorboard": False, "gradient_checkpointing": False},
        **sections,
    }
    path = folder / "stage.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


CASES: dict[str, Callable[[Path], object]] = {
    "vila": write_vila,
    "vila v1": write_vila_v1,
    "nvila": partial(write_vila, **NVILA),
    "nvila lite": partial(write_vila, **LITE),
    "flat nvila": write_nvila,
}


def loss_of(model: Path, shards: str) -> float:
    out = model.parent / "loss.json"
    options = ["--task", "loss", "--labels", "assistant", "--seq-length", "4096", "--out", str(out)]
    assert evaluate([str(model), "--shards", shards, *options]) == 0
    return float(json.loads(out.read_text())["loss"])


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_folder_is_continued_and_written_back(tmp_path: Path, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    source = tmp_path / "model"
    CASES[case](source)
    shards = chats(tmp_path / "set")
    before = loss_of(source, shards)
    assert train([str(stage(tmp_path, shards, source))]) == 0
    said = capsys.readouterr().out
    assert f"layout {find_layout(str(source))} " in said
    assert ("joined patches by columns" in said) is (case == "vila")
    (record,) = read_metrics(tmp_path / "out")
    assert record["loss"] == pytest.approx(before, abs=1e-5)
    layout = find_layout(str(source))
    back = tmp_path / "out" / f"final-{layout}"
    assert find_layout(str(back)) == layout
    old, new = tensors_of(source), tensors_of(back)
    assert old.keys() == new.keys()
    changed = {name for name, value in old.items() if not torch.equal(value, new[name])}
    assert any("projector" in name for name in changed)
    assert any("self_attn" in name for name in changed)
    assert not any("vision" in name for name in changed)
    after = loss_of(back, shards)
    # Rows of words that images added, which have learned to be unlikely, are no part of such a folder.
    assert after == pytest.approx(loss_of(tmp_path / "out" / "final", shards), abs=5e-3)
    assert after < before
