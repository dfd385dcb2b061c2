"""Checkpoints: written while training goes on, whole or absent, the newest few kept, read back on any number of ranks.

``OUTPUT/checkpoints/step-00000100/`` holds the shards of ``torch.distributed.checkpoint`` (weights and optimiser) and
``progress.json``, written last: step, plan cursor, and the settings that must not change. The random numbers of a step
are a function of the seed and the step, so they need no state.

Saving copies the state to host memory and returns; a thread of each rank writes it under a hidden name, over a process
group of its own, and the first rank's gives the folder its name when all shards are on disk. A crash at any moment
therefore leaves complete checkpoints and at most one hidden folder, which the next checkpoint clears away.
"""

import json
import shutil
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_state_dict,
    set_model_state_dict,
    set_state_dict,
)
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import async_save

from curate.contract.errors import CurateError
from shards.storage import write_bytes
from train_bridge.packing.cursor import Cursor
from train_bridge.training.identity import find_changes
from train_bridge.training.moments import fill_state, plain_state
from train_bridge.training.ranks import Ranks, failing_together

PROGRESS_NAME = "progress.json"
LEARNING = StateDictOptions(ignore_frozen_params=True, strict=False)
"""Of a 7B model's first stage 20 MB learn and 28 GB do not."""
PREFIX = "step-"
GROUP_OPTIONS = {"lr_share", "weight_decay", "fused"}
"""Of a group of weights in the optimiser: the run's own, not the checkpoint's, which may be another device's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainProgress:
    """How far a run has come."""

    step: int = 0
    """Steps done."""
    cursor: str = Cursor().to_json()
    """Of the next pack."""
    num_samples: int = 0
    """Samples learned from, so far."""
    num_skipped: int = 0
    """Samples that packs went without."""
    num_left_out: int = 0
    """Steps that were left out because their loss or gradient was not finite."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResumePoint:
    """Where a run goes on."""

    progress: TrainProgress = field(default_factory=TrainProgress)
    is_resumed: bool = False
    """False: at the start, there is no checkpoint."""
    faults: tuple[str, ...] = ()
    """What is wrong with newer checkpoints."""
    changes: tuple[str, ...] = ()
    """Settings that are others than before, and may be."""
    plan_changes: tuple[str, ...] = ()
    """Of these, those with which the plan is another."""


class CheckpointWriter:
    """Writes checkpoints of a run, one at a time, while open. All ranks call the same methods."""

    def __init__(
        self, folder: str, *, identity: Mapping[str, object], keep: int, ranks: Ranks, keep_every: int | None = None
    ) -> None:
        """Prepare to write.

        Args:
            folder: Of the checkpoints.
            identity: JSON values that must be the same when training goes on.
            keep: Newest checkpoints that stay.
            ranks: The callers.
            keep_every: Steps of which every multiple's checkpoint stays.
        """
        self._folder, self._identity, self._keep, self._ranks = Path(folder), identity, keep, ranks
        self._keep_every = keep_every
        group = dist.new_group(backend="gloo")  # the thread must not share the training's
        self._group = group if isinstance(group, dist.ProcessGroup) else None
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._pending: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if error is None:
            self.wait()
        elif self._pending is not None:
            # What was begun before the failure is worth having, if the other ranks live.
            self._pending.exception()
        self._pool.shutdown()

    def save(
        self,
        progress: TrainProgress,
        *,
        model: nn.Module,
        optimiser: torch.optim.Optimizer,
        is_healthy: bool = True,
    ) -> None:
        """Copy the state of what learns and begin to write it, once the checkpoint before is complete.

        Args:
            progress: How far the run is.
            model: Its frozen weights are not written: they are those that the run began with.
            optimiser: Of the weights that learn.
            is_healthy: Whether nothing went wrong since the checkpoint before; see ``prune_checkpoints``.

        Raises:
            CurateError: The checkpoint before could not be written.
        """
        self.wait()
        target = self._folder / f"{PREFIX}{progress.step:08d}"
        partial = self._folder / f".{target.name}.partial"
        with failing_together():
            if self._ranks.is_first:
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir(parents=True)
        weights, state = get_state_dict(model, optimiser, options=LEARNING)
        content = {"model": weights, "optimiser": plain_state(state)}
        written = async_save(content, checkpoint_id=partial, process_group=self._group)
        self._pending = self._pool.submit(self._finish, written, partial, target, progress, is_healthy)

    def wait(self) -> None:
        """Return when the checkpoint under way is complete, on all ranks.

        Raises:
            CurateError: It could not be written.
        """
        if self._pending is None:
            return
        pending, self._pending = self._pending, None
        with failing_together():
            try:
                pending.result()
            except CheckpointException as error:
                raise CurateError(f"a checkpoint could not be written: {_causes(error)}") from error

    def _finish(self, written: Any, partial: Path, target: Path, progress: TrainProgress, is_healthy: bool) -> None:  # noqa: FBT001
        """Wait for the shards of all ranks; then the first rank names the folder and deletes old ones."""
        written.result()
        if not self._ranks.is_first:
            return
        content = {**asdict(progress), "is_healthy": is_healthy, "identity": self._identity}
        write_bytes(str(partial / PROGRESS_NAME), json.dumps(content, indent=1).encode())
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
        prune_checkpoints(str(self._folder), keep=self._keep, keep_every=self._keep_every)


def list_checkpoints(folder: str) -> list[Path]:
    """Return the complete checkpoints, oldest first."""
    found = Path(folder).glob(f"{PREFIX}*")
    return sorted(path for path in found if (path / PROGRESS_NAME).exists())


def prune_checkpoints(folder: str, *, keep: int, keep_every: int | None = None) -> None:
    """Delete all complete checkpoints but the newest ``keep``, and what was never completed.

    Those made while samples were lost or steps left out are counted apart: a sound one never goes for them.

    Args:
        folder: Of the checkpoints.
        keep: Newest ones of each sort that stay.
        keep_every: Steps of which every multiple's checkpoint stays.
    """
    sorts: dict[bool, list[Path]] = {True: [], False: []}
    for path in list_checkpoints(folder):
        content = json.loads((path / PROGRESS_NAME).read_text(encoding="utf-8"))
        if keep_every is None or content["step"] % keep_every:
            sorts[content.get("is_healthy", True)].append(path)
    for path in (path for own in sorts.values() for path in own[:-keep]):
        # Renamed first: a half-deleted checkpoint must not look complete.
        path.rename(path.with_name(f".{path.name}.partial"))
    for unfinished in Path(folder).glob(f".{PREFIX}*.partial"):
        shutil.rmtree(unfinished, ignore_errors=True)


def load_newest(
    folder: str, *, model: nn.Module, optimiser: torch.optim.Optimizer, identity: Mapping[str, object]
) -> ResumePoint:
    """Read the newest checkpoint that can be read.

    Returns:
        Where to go on: at the start where there is no checkpoint.

    Raises:
        CurateError: It was written with other settings, or none of several can be read.
    """
    faults: list[str] = []
    for path in reversed(list_checkpoints(folder)):
        try:
            found = load_checkpoint(path, model=model, optimiser=optimiser, identity=identity)
            return replace(found, faults=tuple(faults))
        except UnreadableCheckpointError as error:
            faults.append(str(error))
    if faults:
        raise CurateError("; ".join(faults))
    return ResumePoint()


class UnreadableCheckpointError(CurateError):
    """A checkpoint that is damaged."""


def load_checkpoint(
    path: Path, *, model: nn.Module, optimiser: torch.optim.Optimizer, identity: Mapping[str, object]
) -> ResumePoint:
    """Read a checkpoint into model and optimiser; the number of ranks may be another than when it was written.

    Raises:
        CurateError: It was written with settings that must stay (names each, with both values), or cannot be read.
    """
    progress, saved = _read_progress(path)
    changes = find_changes(saved, json.loads(json.dumps(identity)))
    if changes.refused:
        raise CurateError(
            f"{path} was written with other settings; go on with those, or start in another output: "
            + "; ".join(changes.refused)
        )
    options = [{name: group[name] for name in group.keys() & GROUP_OPTIONS} for group in optimiser.param_groups]
    weights, state = get_state_dict(model, optimiser, options=LEARNING)
    plain = plain_state(state)
    try:
        load({"model": weights, "optimiser": plain}, checkpoint_id=path)
    except CheckpointException as error:
        raise UnreadableCheckpointError(f"{path} cannot be read: {_causes(error)}") from error
    state = fill_state(state, plain)
    set_state_dict(model, optimiser, model_state_dict=weights, optim_state_dict=state, options=LEARNING)
    for group, own in zip(optimiser.param_groups, options, strict=True):
        group.update(own)  # the checkpoint's are those of its own settings
    return ResumePoint(
        progress=progress, is_resumed=True, changes=(*changes.allowed, *changes.plan), plan_changes=changes.plan
    )


def newest_progress(folder: str) -> tuple[TrainProgress, dict[str, Any]] | None:
    """Return how far the newest complete checkpoint is, and the identity of its run; None if there is none to read."""
    for path in reversed(list_checkpoints(folder)):
        try:
            return _read_progress(path)
        except UnreadableCheckpointError:
            continue
    return None


def _read_progress(path: Path) -> tuple[TrainProgress, dict[str, Any]]:
    try:
        content = json.loads((path / PROGRESS_NAME).read_text(encoding="utf-8"))
        identity = content.pop("identity")
        content.pop("is_healthy", None)
        return TrainProgress(**content), identity
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableCheckpointError(f"{path / PROGRESS_NAME}: not the progress of a run ({error})") from error


def load_weights(path: Path, *, model: nn.Module) -> None:
    """Read the weights that learned from a checkpoint; the others stay.

    Raises:
        UnreadableCheckpointError: It cannot be read.
    """
    weights = get_model_state_dict(model, options=LEARNING)
    try:
        load({"model": weights}, checkpoint_id=path)
    except CheckpointException as error:
        raise UnreadableCheckpointError(f"{path} cannot be read: {_causes(error)}") from error
    set_model_state_dict(model, weights, options=LEARNING)


def _causes(error: CheckpointException) -> str:
    """Say what failed, rank by rank."""
    return "; ".join(f"rank {rank}: {fault[0]}" for rank, fault in sorted(error.failures.items()))
