"""Training that is killed, told to stop, resumed on other ranks and fed bad numbers, in real processes over gloo.

All runs here are endless until they are stopped, so that no kill comes too late on a busy machine. Ranks that are
killed many times are forked from a server that has torch imported already, with the environment that
``torchrun`` sets; the tests at the end run ``torchrun`` itself.
"""

import contextlib
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

import psutil
import pytest
import yaml

from tests.integration.rank_processes import DEADLINE_S, finish, start_ranks
from tests.train_bridge.conftest import make_sample, stage_config, write_set
from train_bridge.training.metrics import read_metrics

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
REPOSITORY = Path(__file__).parents[2]
ENDLESS = 100_000
NUM_STEPS = 30
"""Steps whose losses are compared: later ones differ by what sums in another order add up to."""
NUM_KILLS = 10
NUM_STOPS = int(os.environ.get("TRAIN_BRIDGE_NUM_STOPS", "3"))
"""Times that a whole job is told to stop; more by hand."""
GLOBAL_BATCH = 2


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_set(tmp_path_factory.mktemp("resume") / "set", [make_sample(number) for number in range(48)])


@pytest.fixture(scope="module")
def stage(shards: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("stage")
    config = stage_config(
        shards,
        folder / "out",
        optim={"max_steps": ENDLESS, "global_batch": GLOBAL_BATCH, "warmup_ratio": 0},
        run={"checkpoint_every": 2, "log_packs": True},
        data={"order": "shuffled"},
    )
    path = folder / "stage.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    return str(path)


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


def run_until(stage: str, output: Path, step: int, *, num_ranks: int = 1) -> None:
    """Go on until a step is done, then ask to stop."""
    ranks = start_ranks([stage, "--resume", "--set", f"output={output}"], num_ranks=num_ranks)
    wait_until(lambda: last_step(output) >= step or not all(process.is_alive() for process in ranks))
    for process in ranks:
        process.terminate()
    assert set(finish(ranks)) == {0}


def packs_of(output: Path) -> list[list[int]]:
    """Return number and checksum of every pack that the surviving steps learned from, in order."""
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    return [pack for line in lines for pack in line.get("packs", [])]


def assert_undisturbed(stage: str, output: Path) -> None:
    """Go on to a step that can be compared, and compare all steps with those of a run on one rank, all in one go."""
    run_until(stage, output, max(NUM_STEPS, last_step(output) + 1))
    num_steps, alone = last_step(output), output.with_name("alone")
    run_until(stage, alone, num_steps)
    assert [record["step"] for record in read_metrics(output)] == list(range(1, num_steps + 1))
    losses, expected = ([record["loss"] for record in read_metrics(one)[:NUM_STEPS]] for one in (output, alone))
    assert losses == pytest.approx(expected, abs=1e-5)
    num_packs = num_steps * GLOBAL_BATCH
    assert [number for number, _ in packs_of(output)] == list(range(num_packs))
    assert packs_of(output) == packs_of(alone)[:num_packs]


def kill_and_resume(stage: str, output: Path) -> None:
    """Kill all ranks after a few steps each, going on with another number of them every time."""
    rng = random.Random(2)
    arguments = [stage, "--resume", "--set", f"output={output}"]
    layouts = itertools.cycle([1, 2])
    for _ in range(NUM_KILLS):
        target = last_step(output) + rng.randint(1, 4)
        ranks = start_ranks(arguments, num_ranks=next(layouts))
        wait_until(lambda target=target: last_step(output) >= target)  # type: ignore[misc]  # bound at once
        time.sleep(rng.random() * 0.05)  # also in the midst of a step, or of writing a checkpoint
        kill_all(ranks)


def test_ten_kills_lose_nothing_and_repeat_nothing(stage: str, tmp_path: Path) -> None:
    kill_and_resume(stage, tmp_path / "out")
    assert_undisturbed(stage, tmp_path / "out")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            ["optim.lr=1.0e+30", "optim.warmup_ratio=0", "optim.clip_norm=null"],
            "that is not finite, more than run.max_not_finite 5",
        ),
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


def test_a_checkpoint_of_another_stage_is_refused_by_all_ranks(stage: str, tmp_path: Path) -> None:
    output = tmp_path / "out"
    run_until(stage, output, 2)
    arguments = [stage, "--resume", "--set", f"output={output}", "--set", "pack.seq_length=128"]
    assert finish(start_ranks(arguments, num_ranks=2, errors=tmp_path / "errors")) == [1, 1]
    text = (tmp_path / "errors").read_text()
    assert str(output / "checkpoints") in text
    assert "pack.seq_length was 64, is 128" in text


def test_ranks_do_not_wait_for_one_that_was_killed(stage: str, tmp_path: Path) -> None:
    output = tmp_path / "out"
    ranks = start_ranks([stage, "--set", f"output={output}"], num_ranks=2)
    wait_until(lambda: last_step(output) >= 2)
    ranks[1].kill()
    assert finish(ranks) == [1, -signal.SIGKILL]


def start_torchrun(module: str, *arguments: str, num_ranks: int = 2) -> "subprocess.Popen[str]":
    options = [
        "--standalone",
        f"--nproc-per-node={num_ranks}",
        *([] if module.endswith("launch") else ["-m", "train_bridge"]),
    ]
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


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds ranks by /proc")
def test_torchrun_stops_at_sigterm_with_0_and_at_a_dead_rank_with_1(stage: str, tmp_path: Path) -> None:
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
    assert_undisturbed(stage, output)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_to_every_process_saves_while_loaders_read(stage: str, tmp_path: Path, number: signal.Signals) -> None:
    output = tmp_path / "out"
    changes = [f"output={output}", "run.num_workers=4", "run.checkpoint_every=100000"]
    arguments = [stage, "--resume", *(part for change in changes for part in ("--set", change))]
    rng = random.Random(int(number))
    for _ in range(NUM_STOPS):
        before = last_step(output)
        with start_torchrun("train_bridge.launch", *arguments, num_ranks=1) as launcher:
            wait_until(lambda before=before: last_step(output) > before)  # type: ignore[misc]  # bound at once
            time.sleep(rng.random() * 0.5)
            job = psutil.Process(launcher.pid)
            for process in [job, *job.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(number)
            _, errors = launcher.communicate(timeout=DEADLINE_S)
        assert launcher.returncode == 0, errors
        newest = max((output / "checkpoints").iterdir())
        assert json.loads((newest / "progress.json").read_text())["step"] == last_step(output)
    assert_undisturbed(stage, output)
