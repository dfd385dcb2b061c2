from pathlib import Path

import pytest
import torch
from torch import nn

from curate.contract.errors import CurateError
from train_bridge.checkpoint import (
    Progress,
    list_checkpoints,
    load_checkpoint,
    prune_checkpoints,
    save_checkpoint,
)
from train_bridge.ranks import joined_ranks


def trained(seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    model[0].requires_grad_(requires_grad=False)
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for _ in range(2):
        model(torch.randn(4, 2)).sum().backward()
        optimiser.step()
        optimiser.zero_grad()
    return model, optimiser


def save(folder: Path, *, step: int, identity: dict[str, object] | None = None) -> nn.Module:
    model, optimiser = trained(step)
    with joined_ranks() as ranks:
        save_checkpoint(
            str(folder),
            Progress(step=step, cursor="{}", num_skipped=7),
            model=model,
            optimiser=optimiser,
            identity=identity or {"lr": 1.0},
            ranks=ranks,
        )
    return model


def test_weights_optimiser_and_progress_come_back(tmp_path: Path) -> None:
    saved = save(tmp_path, step=3)
    model, optimiser = trained(99)
    before = optimiser.state_dict()["state"]
    with joined_ranks():
        progress = load_checkpoint(
            list_checkpoints(str(tmp_path))[0], model=model, optimiser=optimiser, identity={"lr": 1.0}
        )
    assert progress == Progress(step=3, cursor="{}", num_skipped=7)
    wanted = saved.state_dict()
    assert all(torch.equal(weight, wanted[name]) for name, weight in model.state_dict().items())
    _, original = trained(3)
    for key, state in original.state_dict()["state"].items():
        assert torch.equal(optimiser.state_dict()["state"][key]["exp_avg"], state["exp_avg"])
    assert before.keys() == original.state_dict()["state"].keys()


def test_other_settings_are_refused_and_named(tmp_path: Path) -> None:
    save(tmp_path, step=1, identity={"optim": {"lr": 1.0, "eps": 2}, "old": 1})
    model, optimiser = trained(0)
    with joined_ranks(), pytest.raises(CurateError) as caught:
        load_checkpoint(
            list_checkpoints(str(tmp_path))[0],
            model=model,
            optimiser=optimiser,
            identity={"optim": {"lr": 3.0, "eps": 2}, "new": 1},
        )
    assert "optim.lr was 1.0, is 3.0" in str(caught.value)
    assert "old was 1, is None" in str(caught.value)
    assert "eps" not in str(caught.value)


def test_the_newest_are_kept_and_torn_ones_are_no_checkpoints(tmp_path: Path) -> None:
    for step in (1, 2, 10):
        save(tmp_path, step=step)
    (tmp_path / "step-00000011").mkdir()
    (tmp_path / ".step-00000012.partial").mkdir()
    prune_checkpoints(str(tmp_path), keep=2)
    assert [path.name for path in list_checkpoints(str(tmp_path))] == ["step-00000002", "step-00000010"]
    assert not list(tmp_path.glob(".*"))


def test_no_folder_has_no_checkpoints(tmp_path: Path) -> None:
    assert list_checkpoints(str(tmp_path / "none")) == []
    prune_checkpoints(str(tmp_path / "none"), keep=1)


def test_saving_a_step_again_replaces_it(tmp_path: Path) -> None:
    save(tmp_path, step=4)
    (tmp_path / ".step-00000004.partial").mkdir()
    save(tmp_path, step=4)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000004"]
