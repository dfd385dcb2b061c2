"""Each example, stopped and resumed, has the losses of one that was not."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.run_ranks import NUM_STEPS
from tests.train_bridge.conftest import make_sample, stage_config, write_set
from train_bridge.config import PackConfig
from train_bridge.data.shard_dataset import ShardDataset
from train_bridge.model.llava import build_model
from train_bridge.model.processor import build_processor

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, str]:
    """Return shards, a model and a folder for results."""
    folder = tmp_path_factory.mktemp("examples")
    shards = write_set(folder / "shards", [make_sample(number) for number in range(48)])
    config = stage_config(shards, folder)
    processor = build_processor(config)
    build_model(config, processor=processor).save_pretrained(folder / "model")
    processor.save_pretrained(folder / "model")
    return shards, str(folder / "model"), str(folder)


def run(script: str, inputs: tuple[str, str, str], *launcher: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HOME": inputs[-1], "TOKENIZERS_PARALLELISM": "false"}
    environment["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, *launcher, str(Path(__file__).with_name(script)), *inputs]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=550, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def found(inputs: tuple[str, str, str]) -> dict[str, list[list[float]]]:
    """Return the losses of all examples, undisturbed and resumed."""
    done = run("run_all.py", inputs)
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


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_ranks_read_disjoint_batches_that_are_together_the_plan(inputs: tuple[str, str, str]) -> None:
    shards, model, folder = inputs
    run("run_ranks.py", inputs, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    alone = ShardDataset(shards, processor=model, pack=PackConfig(seq_length=64), epochs=None, cache_dir=folder)
    expected = [batch["labels"][batch["labels"] >= 0].tolist() for batch in itertools.islice(alone, 2 * NUM_STEPS)]
    ranks = [json.loads(Path(folder, f"rank{rank}.json").read_text()) for rank in (0, 1)]
    for name in ("torchdata_loop", "hf_trainer", "lightning_module"):
        assert sorted(ranks[0][name] + ranks[1][name]) == sorted(expected), name
        assert ranks[0][name] != ranks[1][name]
