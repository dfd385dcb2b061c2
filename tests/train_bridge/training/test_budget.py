"""A fault on the way is waited for, or ends the run, saved and named; it never ends as success."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.train_bridge import faulty_store
from tests.train_bridge.conftest import stage_config
from tests.train_bridge.faulty_store import faulty_set
from train_bridge.config import RunConfig, StageConfig
from train_bridge.data import fetching, read_packs
from train_bridge.data.exclude import read_excluded
from train_bridge.training.budget import MIN_SKIPPED, RunStoppedError, check_budget, is_healthy
from train_bridge.training.checkpoint import TrainProgress, list_checkpoints
from train_bridge.training.loop import train_stage
from train_bridge.training.metrics import read_metrics
from train_bridge.training.ranks import joined_ranks

pytestmark = pytest.mark.slow


@pytest.fixture
def store(shard_folder: str) -> Iterator[str]:
    with faulty_set(shard_folder) as url:
        yield url


def config_of(store: str, output: Path, **run: Any) -> StageConfig:
    patient = {"read_patience_s": 30, "read_ahead": 1, "checkpoint_every": 100} | run
    return stage_config(store, output, optim={"max_steps": 6}, run=patient)


def train(config: StageConfig, *, stop_after: int | None = None) -> list[float]:
    steps = itertools.count(1)
    with joined_ranks() as ranks:
        train_stage(config, ranks=ranks, asked=None if stop_after is None else lambda: next(steps) >= stop_after)
    return [record["loss"] for record in read_metrics(config.output)]


def reads_of(config: StageConfig) -> int:
    """Train two steps one by one; return how many reads a step takes that goes on, and one more."""
    train(config, stop_after=1)  # counts the tokens, too
    before = faulty_store.FaultyFileSystem.num_reads
    train(config, stop_after=1)
    return faulty_store.FaultyFileSystem.num_reads - before + 1


def test_storage_that_refuses_for_a_while_is_waited_for(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "FIRST_WAIT_S", 0.01)
    whole = train(config_of(store, tmp_path / "whole"))
    config = config_of(store, tmp_path / "out")
    faulty_store.refuse(after=reads_of(config), times=5)
    assert train(config) == pytest.approx(whole, abs=1e-5)
    assert faulty_store.FaultyFileSystem.num_refusals == 0
    assert "skipped_sample" not in (tmp_path / "out" / "metrics.jsonl").read_text()


def test_credentials_that_expire_end_the_run_saved_and_it_goes_on_exactly(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "FIRST_WAIT_S", 0.01)
    whole = train(config_of(store, tmp_path / "whole"))
    config = config_of(store, tmp_path / "out", read_patience_s=1)
    faulty_store.refuse(after=reads_of(config), times=10**9)
    with pytest.raises(RunStoppedError, match=r"step \d: rank 0 could not read sample \d+.*expired.*saved after"):
        train(config)
    steps = [record["step"] for record in read_metrics(config.output)]
    assert not (tmp_path / "out" / "final").exists()
    assert list_checkpoints(f"{config.output}/checkpoints")[-1].name == f"step-{steps[-1]:08d}"
    assert all(record["loss"] > 0 for record in read_metrics(config.output))
    faulty_store.heal()
    assert train(config) == pytest.approx(whole, abs=1e-5)
    assert (tmp_path / "out" / "final").exists()


def test_a_read_that_hangs_is_named(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_packs, "HANG_GRACE_S", 0.5)
    config = config_of(store, tmp_path, read_patience_s=1)
    faulty_store.hang(after=reads_of(config))
    with pytest.raises(RunStoppedError, match=r"rank 0 could not read sample \d+.*00000\.tar: no answer for 2 s"):
        train(config)


def test_a_step_without_a_label_is_none(shard_folder: str, tmp_path: Path) -> None:
    names = tmp_path / "everything.txt"
    names.write_text("".join(f"{number:016x}\n" for number in range(48)))
    config = stage_config(shard_folder, tmp_path / "out", data={"exclude": str(names)})
    with pytest.raises(RunStoppedError, match=r"step 1: none of its samples has a token.*nothing was learned yet"):
        train(config)
    assert read_metrics(config.output) == []
    assert not (tmp_path / "out" / "final").exists()


def test_documents_that_are_left_out_are_replaced_and_do_not_count_as_lost(shard_folder: str, tmp_path: Path) -> None:
    names = tmp_path / "some.txt"
    names.write_text(f"# by hand\n{1:016x}\n\n{2:016x}\n")
    config = stage_config(shard_folder, tmp_path / "out", optim={"max_steps": None}, data={"exclude": str(names)})
    train(config)
    assert sum(record["skipped"] for record in read_metrics(config.output)) == 0
    assert "skipped_sample" not in (tmp_path / "out" / "metrics.jsonl").read_text()


def test_steps_that_are_not_finite_are_left_out_within_a_budget(shard_folder: str, tmp_path: Path) -> None:
    optim = {"lr": 1e30, "warmup_ratio": 0.0, "clip_norm": None, "max_steps": 9}
    config = stage_config(shard_folder, tmp_path, optim=optim, run={"max_not_finite": 2, "keep_checkpoints": 1})
    with pytest.raises(RunStoppedError, match=r"3 steps had a loss or gradient that is not finite.*data\.exclude"):
        train(config)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    bad = [line for line in lines if "not_finite" in line]
    assert len(bad) == 3
    named = {doc_id for line in bad for pack in line["not_finite"] for doc_id in pack["doc_ids"]}
    (tmp_path / "bad.txt").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read_excluded(str(tmp_path / "bad.txt")) == named
    assert len(list_checkpoints(f"{config.output}/checkpoints")) >= 1
    assert not (tmp_path / "final").exists()


def test_a_run_whose_last_step_is_not_finite_is_no_success(shard_folder: str, tmp_path: Path) -> None:
    optim = {"lr": 1e30, "warmup_ratio": 0.0, "clip_norm": None, "max_steps": 3}
    with pytest.raises(RunStoppedError, match="it was the last"):
        train(stage_config(shard_folder, tmp_path, optim=optim))
    assert not (tmp_path / "final").exists()


@pytest.mark.parametrize(
    ("skipped", "samples_", "stops"),
    [(MIN_SKIPPED, 0, False), (MIN_SKIPPED + 1, 0, True), (500, 50_000, False), (501, 50_000, True)],
)
def test_skipped_samples_have_a_budget(*, skipped: int, samples_: int, stops: bool) -> None:
    progress = TrainProgress(step=3, num_samples=samples_, num_skipped=skipped)
    if not stops:
        check_budget(progress, RunConfig())
        return
    with pytest.raises(RunStoppedError, match=r"after step 3: .* skipped, more than run\.max_skipped_share"):
        check_budget(progress, RunConfig())


def test_health_is_of_the_steps_since_the_checkpoint_before() -> None:
    before = TrainProgress(step=1, num_samples=1000, num_skipped=50, num_left_out=2)
    sound = TrainProgress(step=2, num_samples=2000, num_skipped=60, num_left_out=2)
    assert is_healthy(before, sound, RunConfig())
    assert not is_healthy(before, TrainProgress(step=2, num_samples=2000, num_skipped=61, num_left_out=2), RunConfig())
    assert not is_healthy(before, TrainProgress(step=2, num_samples=2000, num_skipped=50, num_left_out=3), RunConfig())
