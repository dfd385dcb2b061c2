import json
from pathlib import Path

import pytest
import torch

from train_bridge.data.samples import SkippedSample
from train_bridge.tokens.faults import SampleFault
from train_bridge.training.flops import ModelCost
from train_bridge.training.metrics import MetricsLog, model_share, read_metrics, step_record
from train_bridge.training.not_finite import PackDocuments
from train_bridge.training.ranks import Ranks
from train_bridge.training.step import StepTotals

GROUPS = (("flan", "text"), ("pages", "interleaved"), ("pages", "text"))


def totals() -> StepTotals:
    sums = StepTotals(num_groups=3, loss=12.0, num_labels=8.0, num_tokens=90.0, num_places=100.0, wait_s=1.0)
    sums.group_loss = torch.tensor([2.0, 6.0, 4.0], dtype=torch.float64)
    sums.group_labels = torch.tensor([1.0, 3.0, 4.0], dtype=torch.float64)
    return sums


def test_figures_of_a_step() -> None:
    record = step_record(totals(), groups=GROUPS, seconds=2.0, ranks=2)
    assert record["loss"] == 1.5
    assert record["loss_by_source"] == {"flan": 2.0, "pages": pytest.approx(10 / 7)}
    assert record["loss_by_kind"] == {"interleaved": 2.0, "text": pytest.approx(6 / 5)}
    assert (record["fill"], record["tokens_per_s"], record["data_wait"]) == (0.9, 45.0, 0.25)


def test_a_step_without_labels_has_a_loss_of_zero() -> None:
    empty = StepTotals(num_groups=3, num_places=10.0)
    record = step_record(empty, groups=GROUPS, seconds=1.0, ranks=1)
    assert (record["loss"], record["loss_by_source"]) == (0.0, {})


def test_steps_that_are_done_again_are_dropped(tmp_path: Path) -> None:
    with MetricsLog(str(tmp_path), first_step=1, tensorboard=False) as log:
        for step in (1, 2, 3):
            log.write(step, {"loss": float(step)})
        log.write_skipped(3, [SkippedSample("key", "doc", SampleFault.BROKEN_IMAGE, "cut off")])
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')
    with MetricsLog(str(tmp_path), first_step=3, tensorboard=False) as log:
        log.write(3, {"loss": 9.0})
    assert read_metrics(tmp_path) == [{"step": 1, "loss": 1.0}, {"step": 2, "loss": 2.0}, {"step": 3, "loss": 9.0}]


def test_skipped_samples_are_named(tmp_path: Path) -> None:
    with MetricsLog(str(tmp_path), first_step=1, tensorboard=False) as log:
        log.write_skipped(1, [SkippedSample("key", "doc", SampleFault.BROKEN_IMAGE, "cut off")])
    entry = json.loads((tmp_path / "metrics.jsonl").read_text())
    assert entry["skipped_sample"] == {"key": "key", "doc_id": "doc", "fault": "broken_image", "detail": "cut off"}
    assert read_metrics(tmp_path) == []


def test_tensorboard_files_are_written(tmp_path: Path) -> None:
    with MetricsLog(str(tmp_path), first_step=1, tensorboard=True) as log:
        log.write(1, {"loss": 1.0, "loss_by_kind": {"text": 2.0}})
    assert list((tmp_path / "tensorboard").glob("events.*"))


def test_no_file_has_no_metrics(tmp_path: Path) -> None:
    assert read_metrics(tmp_path) == []


def test_model_flops_are_a_share_of_all_devices() -> None:
    sums = StepTotals(num_groups=0, num_tokens=100.0, num_pairs=10.0, num_labels=5.0, num_images=2.0)
    cost = ModelCost(per_token=6.0, per_pair=2.0, per_label=4.0, per_image=80.0)
    ranks = Ranks(rank=0, world_size=2, local_rank=0, device=torch.device("cpu"))
    assert model_share(sums, cost=cost, peak=500.0, seconds=2.0, ranks=ranks) == pytest.approx(800 / 2 / 1000)
    assert model_share(sums, cost=cost, peak=None, seconds=2.0, ranks=ranks) is None


def test_packs_are_logged_beside_the_steps(tmp_path: Path) -> None:
    with MetricsLog(str(tmp_path), first_step=1, tensorboard=True) as log:
        log.write(1, {"loss": 1.0, "mfu": None})
        log.write_packs(1, [(0, 17)])
        log.write_bad(2, [PackDocuments(number=3, doc_ids=("a", "b"))])
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines[1] == {"step": 1, "packs": [[0, 17]]}
    assert lines[2] == {"step": 2, "not_finite": [{"pack": 3, "doc_ids": ["a", "b"]}]}
    assert read_metrics(tmp_path) == [{"step": 1, "loss": 1.0, "mfu": None}]
