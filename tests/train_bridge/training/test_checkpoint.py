from pathlib import Path

import pytest
import torch
from torch import nn

from curate.contract.errors import CurateError
from train_bridge.training.checkpoint import (
    CheckpointWriter,
    ResumePoint,
    TrainProgress,
    list_checkpoints,
    load_checkpoint,
    load_newest,
    prune_checkpoints,
)
from train_bridge.training.ranks import joined_ranks


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


def save(folder: Path, *, step: int, identity: dict[str, object] | None = None, is_healthy: bool = True) -> nn.Module:
    model, optimiser = trained(step)
    with (
        joined_ranks() as ranks,
        CheckpointWriter(str(folder), identity=identity or {"lr": 1.0}, keep=9, ranks=ranks) as writer,
    ):
        progress = TrainProgress(step=step, cursor="{}", num_skipped=7)
        writer.save(progress, model=model, optimiser=optimiser, is_healthy=is_healthy)
    return model


def test_weights_optimiser_and_progress_come_back(tmp_path: Path) -> None:
    saved = save(tmp_path, step=3)
    model, optimiser = trained(99)
    before = optimiser.state_dict()["state"]
    with joined_ranks():
        found = load_checkpoint(
            list_checkpoints(str(tmp_path))[0], model=model, optimiser=optimiser, identity={"lr": 1.0}
        )
    assert found.is_resumed
    assert found.progress == TrainProgress(step=3, cursor="{}", num_skipped=7)
    wanted, own = saved.state_dict(), trained(99)[0].state_dict()
    for name, weight in model.state_dict().items():  # the first layer is frozen: it is what the run began with
        assert torch.equal(weight, own[name] if name.startswith("0.") else wanted[name])
    _, original = trained(3)
    for key, state in original.state_dict()["state"].items():
        assert torch.equal(optimiser.state_dict()["state"][key]["exp_avg"], state["exp_avg"])
    assert before.keys() == original.state_dict()["state"].keys()


def test_other_settings_are_refused_and_named(tmp_path: Path) -> None:
    save(tmp_path, step=1, identity={"pack": {"window": 1.0, "eps": 2}, "old": 1})
    model, optimiser = trained(0)
    with joined_ranks(), pytest.raises(CurateError) as caught:
        load_checkpoint(
            list_checkpoints(str(tmp_path))[0],
            model=model,
            optimiser=optimiser,
            identity={"pack": {"window": 3.0, "eps": 2}, "new": 1},
        )
    assert "pack.window was 1.0, is 3.0" in str(caught.value)
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


def test_a_sound_one_never_goes_for_one_made_after_faults_began(tmp_path: Path) -> None:
    for step in (1, 2):
        save(tmp_path, step=step)
    for step in (3, 4, 5):
        save(tmp_path, step=step, is_healthy=False)
    prune_checkpoints(str(tmp_path), keep=1)
    assert [path.name[-1] for path in list_checkpoints(str(tmp_path))] == ["2", "5"]


def test_every_so_many_steps_one_is_kept_for_good(tmp_path: Path) -> None:
    for step in (2, 3, 4, 5):
        save(tmp_path, step=step)
    prune_checkpoints(str(tmp_path), keep=1, keep_every=2)
    assert [path.name[-1] for path in list_checkpoints(str(tmp_path))] == ["2", "4", "5"]


def test_frozen_weights_are_not_written(tmp_path: Path) -> None:
    model, optimiser = trained(0)
    model.register_parameter("large", nn.Parameter(torch.zeros(1_000_000), requires_grad=False))
    with joined_ranks() as ranks, CheckpointWriter(str(tmp_path), identity={}, keep=1, ranks=ranks) as writer:
        writer.save(TrainProgress(step=1), model=model, optimiser=optimiser)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 100_000


def test_a_damaged_newest_one_gives_way_to_the_one_before(tmp_path: Path) -> None:
    save(tmp_path, step=1)
    save(tmp_path, step=2)
    for path in (tmp_path / "step-00000002").glob("*.distcp"):
        path.write_bytes(path.read_bytes()[:10])
    model, optimiser = trained(5)
    with joined_ranks():
        found = load_newest(str(tmp_path), model=model, optimiser=optimiser, identity={"lr": 1.0})
    assert found.progress.step == 1
    assert "step-00000002 cannot be read" in found.faults[0]
    (tmp_path / "step-00000001" / "progress.json").write_text("{")
    with joined_ranks(), pytest.raises(CurateError, match=r"step-00000002 cannot be read.*; .*not the progress"):
        load_newest(str(tmp_path), model=model, optimiser=optimiser, identity={"lr": 1.0})
    with joined_ranks():
        assert load_newest(str(tmp_path / "none"), model=model, optimiser=optimiser, identity={}) == ResumePoint()


def test_no_folder_has_no_checkpoints(tmp_path: Path) -> None:
    assert list_checkpoints(str(tmp_path / "none")) == []
    prune_checkpoints(str(tmp_path / "none"), keep=1)


def test_saving_a_step_again_replaces_it(tmp_path: Path) -> None:
    save(tmp_path, step=4)
    (tmp_path / ".step-00000004.partial" / "old").mkdir(parents=True)
    save(tmp_path, step=4)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000004"]


def test_what_is_written_is_the_state_when_it_was_saved(tmp_path: Path) -> None:
    model, optimiser = trained(0)
    wanted = {name: weight.clone() for name, weight in model.state_dict().items()}
    with joined_ranks() as ranks, CheckpointWriter(str(tmp_path), identity={}, keep=2, ranks=ranks) as writer:
        for step in (1, 2, 3):
            writer.save(TrainProgress(step=step, cursor="{}"), model=model, optimiser=optimiser)
            with torch.no_grad():
                model.get_parameter("1.weight").add_(1.0)  # training goes on while the checkpoint is written
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["step-00000002", "step-00000003"]
    other, its_optimiser = trained(1)
    with joined_ranks():
        load_checkpoint(tmp_path / "step-00000003", model=other, optimiser=its_optimiser, identity={})
    assert torch.equal(other.get_parameter("1.weight"), wanted["1.weight"] + 2.0)


def test_what_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    model, optimiser = trained(0)
    (tmp_path / "file").touch()
    with joined_ranks() as ranks, pytest.raises(CurateError, match="file"):  # noqa: SIM117 - the writer's own exit
        with CheckpointWriter(str(tmp_path / "file"), identity={}, keep=2, ranks=ranks) as writer:
            writer.save(TrainProgress(step=1), model=model, optimiser=optimiser)


def test_what_was_begun_before_a_failure_is_completed(tmp_path: Path) -> None:
    model, optimiser = trained(0)
    with joined_ranks() as ranks, pytest.raises(KeyError):  # noqa: SIM117, PT012
        with CheckpointWriter(str(tmp_path), identity={}, keep=2, ranks=ranks) as writer:
            writer.save(TrainProgress(step=1, cursor="{}"), model=model, optimiser=optimiser)
            raise KeyError
    assert [path.name for path in list_checkpoints(str(tmp_path))] == ["step-00000001"]


@pytest.mark.parametrize("content", ["", "[]", '{"step": 1}', '{"identity": {}, "epoch": 3}'])
def test_a_damaged_checkpoint_is_an_error_that_names_it(tmp_path: Path, content: str) -> None:
    save(tmp_path, step=1)
    (path,) = list_checkpoints(str(tmp_path))
    (path / "progress.json").write_text(content)
    model, optimiser = trained(0)
    with joined_ranks(), pytest.raises(CurateError, match=r"progress\.json: not the progress"):
        load_checkpoint(path, model=model, optimiser=optimiser, identity={"lr": 1.0})


def test_lost_weights_are_an_error_that_names_the_checkpoint(tmp_path: Path) -> None:
    save(tmp_path, step=1)
    (path,) = list_checkpoints(str(tmp_path))
    for shard in path.glob("*.distcp"):
        shard.unlink()
    model, optimiser = trained(0)
    with joined_ranks(), pytest.raises(CurateError, match="step-00000001 cannot be read: rank 0"):
        load_checkpoint(path, model=model, optimiser=optimiser, identity={"lr": 1.0})
