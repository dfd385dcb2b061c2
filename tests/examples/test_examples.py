"""Each example, stopped and resumed, has the losses of one that was not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.train_bridge.conftest import make_sample, stage_config, write_set
from train_bridge.model.llava import build_model
from train_bridge.model.processor import build_processor

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[list[float]]]:
    """Return the losses of all examples, undisturbed and resumed."""
    folder = tmp_path_factory.mktemp("examples")
    shards = write_set(folder / "shards", [make_sample(number) for number in range(48)])
    config = stage_config(shards, folder)
    processor = build_processor(config)
    build_model(config, processor=processor).save_pretrained(folder / "model")
    processor.save_pretrained(folder / "model")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HOME": str(folder), "TOKENIZERS_PARALLELISM": "false"}
    environment["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, str(Path(__file__).with_name("run_all.py")), shards, str(folder / "model"), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=550, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    losses: dict[str, list[list[float]]] = json.loads(done.stdout.splitlines()[-1])
    return losses


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "num_steps"), [("torchdata 0", 5), ("torchdata 2", 5), ("trainer", 4), ("lightning", 4)]
)
def test_it_goes_on_as_if_nothing_had_happened(found: dict[str, list[list[float]]], name: str, num_steps: int) -> None:
    whole, parts = found[name]
    assert len(set(whole)) == num_steps
    assert parts == pytest.approx(whole, abs=1e-5)
