from pathlib import Path

import pytest
import torch

from curate.contract.errors import RecipeError
from tests.train_bridge.conftest import stage_config
from train_bridge.training.job import say, start_job
from train_bridge.training.ranks import Ranks, joined_ranks

pytestmark = pytest.mark.slow


def test_a_stage_says_what_it_learns_from_and_with_what(
    shard_folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with joined_ranks() as ranks:
        job = start_job(stage_config(shard_folder, tmp_path), ranks)
    assert {name for name, one in job.model.named_parameters() if one.requires_grad}
    assert job.model.training
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "data"
    assert any("captions / pair" in line for line in said)
    assert "weights learn" in said[-1]


def test_adapters_alone_learn_beside_weights_in_bf16(
    shard_folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = {"trainable": [], "lora": {"llm": {"rank": 4, "targets": ["q_proj"]}}, "frozen_dtype": "bf16"}
    with joined_ranks() as ranks:
        job = start_job(stage_config(shard_folder, tmp_path, model=model, run={"precision": "bf16"}), ranks)
    assert {p.dtype for p in job.model.parameters() if p.requires_grad} == {torch.float32}
    said = capsys.readouterr().out.splitlines()
    assert "frozen weights are held in bf16" in said[-3]
    assert said[-2].startswith("warning: model.frozen_dtype: they were float32")
    assert said[-1].startswith(f"{2 * 2 * 4 * 32:,} of ")  # two layers, A and B, rank 4, width 32


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"run": {"attention": "flex"}}, "run.attention: flex attention has no backward pass on the CPU"),
        ({"model": {"trainable": ["projector"], "freeze": ["*projector*"]}}, "model.trainable: nothing learns"),
        (
            {"model": {"trainable": [], "lora": {"llm": {"targets": ["wq"]}}}},
            r"model\.lora\.llm\.targets: wq matches no",
        ),
        ({"model": {"frozen_dtype": "bf16"}}, r"model\.frozen_dtype: bf16 needs a computation in bf16"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_the_first_step(
    shard_folder: str, tmp_path: Path, changes: dict[str, object], fault: str
) -> None:
    with joined_ranks() as ranks, pytest.raises(RecipeError, match=fault):
        start_job(stage_config(shard_folder, tmp_path, **changes), ranks)


def test_the_first_rank_speaks(capsys: pytest.CaptureFixture[str]) -> None:
    for rank in (0, 1):
        say(Ranks(rank=rank, world_size=2, local_rank=rank, device=torch.device("cpu")), f"rank {rank}")
    assert capsys.readouterr().out == "rank 0\n"
