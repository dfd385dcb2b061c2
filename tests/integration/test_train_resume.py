"""Training that is killed, told to stop, resumed on other ranks and fed bad numbers, in real processes over gloo.

Ranks that are killed many times are forked from a server that has torch imported already, with the environment that
``torchrun`` sets; the tests at the end run ``torchrun`` itself.
"""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import yaml
from safetensors.torch import load_file

from tests.integration.rank_processes import DEADLINE_S, finish, start_ranks
from tests.train_bridge.conftest import make_sample, stage_config, write_set
from train_bridge.__main__ import main
from train_bridge.training.metrics import read_metrics

REPOSITORY = Path(__file__).parents[2]
NUM_STEPS = 30
NUM_KILLS = 10
GLOBAL_BATCH = 2


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_set(tmp_path_factory.mktemp("resume") / "set", [make_sample(number) for number in range(48)])


@pytest.fixture(scope="module")
def stage(shards: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("stage")
    config = stage_config(
        shards,
        folder / "whole",
        optim={"max_steps": NUM_STEPS, "global_batch": GLOBAL_BATCH},
        run={"checkpoint_every": 2, "log_packs": True},
        data={"order": "shuffled"},
    )
    path = folder / "stage.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    return str(path)


@pytest.fixture(scope="module")
def whole(stage: str) -> Path:
    """Return the output of an undisturbed run on one rank."""
    assert main([stage]) == 0
    return Path(stage).parent / "whole"


def wait_until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def last_step(output: Path) -> int:
    records = read_metrics(output)
    return int(records[-1]["step"]) if records else 0


def kill_all(ranks: list[BaseProcess]) -> None:
    for process in ranks:
        process.kill()
    assert set(finish(ranks)) == {-signal.SIGKILL}


def packs_of(output: Path) -> list[list[int]]:
    """Return number and checksum of every pack that the surviving steps learned from, in order."""
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    return [pack for line in lines for pack in line.get("packs", [])]


def assert_same_run(output: Path, whole: Path) -> None:
    assert [r["step"] for r in read_metrics(output)] == list(range(1, NUM_STEPS + 1))
    expected = [record["loss"] for record in read_metrics(whole)]
    assert [record["loss"] for record in read_metrics(output)] == pytest.approx(expected, abs=1e-5)
    assert [number for number, _ in packs_of(output)] == list(range(NUM_STEPS * GLOBAL_BATCH))
    assert packs_of(output) == packs_of(whole)
    weights, wanted = (load_file(folder / "final" / "model.safetensors") for folder in (output, whole))
    assert all((weights[name] - wanted[name]).abs().max() < 1e-4 for name in wanted)


def kill_and_resume(stage: str, output: Path) -> None:
    """Kill all ranks at random steps, each time going on with another number of them; then run to the end."""
    rng = random.Random(2)
    arguments = [stage, "--resume", "--set", f"output={output}"]
    layouts = itertools.cycle([1, 2])
    for _ in range(NUM_KILLS):
        target = min(last_step(output) + rng.randint(1, 4), NUM_STEPS - 2)
        ranks = start_ranks(arguments, num_ranks=next(layouts))
        wait_until(lambda target=target: last_step(output) >= target)  # type: ignore[misc]  # bound at once
        time.sleep(rng.random() * 0.05)  # also in the midst of a step, or of writing a checkpoint
        kill_all(ranks)
    assert set(finish(start_ranks(arguments, num_ranks=next(layouts)))) == {0}


@pytest.mark.slow
def test_ten_kills_lose_nothing_and_repeat_nothing(stage: str, whole: Path, tmp_path: Path) -> None:
    kill_and_resume(stage, tmp_path / "out")
    assert_same_run(tmp_path / "out", whole)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["optim.lr=1.0e+30", "optim.warmup_ratio=0", "optim.clip_norm=null"], "is not finite; "),
        (["data.shards=nowhere"], "nowhere"),
        (["init_from=/nowhere/at/all", "model.tiny=null"], "nowhere"),
    ],
)
def test_all_ranks_stop_with_1_at_an_error(stage: str, tmp_path: Path, changes: list[str], message: str) -> None:
    overrides = [part for change in [f"output={tmp_path / 'out'}", *changes] for part in ("--set", change)]
    assert finish(start_ranks([stage, *overrides], num_ranks=2, errors=tmp_path / "errors")) == [1, 1]
    text = (tmp_path / "errors").read_text()
    assert "error: " in text
    assert message in text
    assert "Traceback" not in text


@pytest.mark.slow
def test_a_checkpoint_of_another_stage_is_refused_by_all_ranks(stage: str, whole: Path, tmp_path: Path) -> None:
    arguments = [stage, "--resume", "--set", "pack.seq_length=128"]
    assert finish(start_ranks(arguments, num_ranks=2, errors=tmp_path / "errors")) == [1, 1]
    text = (tmp_path / "errors").read_text()
    assert str(whole / "checkpoints") in text
    assert "pack.seq_length was 64, is 128" in text


@pytest.mark.slow
def test_ranks_do_not_wait_for_one_that_was_killed(stage: str, tmp_path: Path) -> None:
    output = tmp_path / "out"
    ranks = start_ranks([stage, "--set", f"output={output}", "--set", "optim.max_steps=100000"], num_ranks=2)
    wait_until(lambda: last_step(output) >= 2)
    ranks[1].kill()
    assert finish(ranks) == [1, -signal.SIGKILL]


def start_torchrun(module: str, *arguments: str) -> "subprocess.Popen[str]":
    options = ["--standalone", "--nproc-per-node=2", *([] if module.endswith("launch") else ["-m", "train_bridge"])]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", module, *options, *arguments]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def rank_pids(parent: int) -> dict[str, int]:
    """Return the processes that torchrun started, by RANK."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    found: dict[str, int] = {}
    for child in map(int, children):
        variables: dict[str, Any] = dict(
            entry.partition("=")[::2] for entry in Path(f"/proc/{child}/environ").read_text().split("\0")
        )
        found[variables.get("RANK", "none")] = child
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds ranks by /proc")
def test_torchrun_stops_at_sigterm_with_0_and_at_a_dead_rank_with_1(stage: str, whole: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    arguments = (stage, "--resume", "--set", f"output={output}")
    with start_torchrun("train_bridge.launch", *arguments) as launcher:
        wait_until(lambda: last_step(output) >= 3)
        launcher.send_signal(signal.SIGTERM)
        _, errors = launcher.communicate(timeout=DEADLINE_S)
    assert launcher.returncode == 0, errors
    stopped = last_step(output)
    assert (output / "checkpoints" / f"step-{stopped:08d}" / "progress.json").exists()
    assert not (output / "final").exists()
    with start_torchrun("torch.distributed.run", *arguments) as torchrun:
        wait_until(lambda: last_step(output) > stopped)
        os.kill(rank_pids(torchrun.pid)["1"], signal.SIGKILL)
        _, errors = torchrun.communicate(timeout=DEADLINE_S)
    assert torchrun.returncode == 1
    assert "another rank has ended" in errors
    assert main([*arguments]) == 0
    assert_same_run(output, whole)
