"""Checkpoints: whole or absent, the newest few kept, read back on any number of ranks.

``OUTPUT/checkpoints/step-00000100/`` holds the shards of ``torch.distributed.checkpoint`` (weights and optimiser) and
``progress.json``, written last: step, plan cursor, and the settings that must not change. The random numbers of a step
are a function of the seed and the step, so they need no state.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from curate.contract.errors import CurateError
from train_bridge.cursor import Cursor
from train_bridge.ranks import Ranks, wait_for_all

PROGRESS_NAME = "progress.json"
PREFIX = "step-"


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a run has come."""

    step: int = 0
    """Steps done."""
    cursor: str = Cursor().to_json()
    """Of the next pack."""
    num_skipped: int = 0
    """Samples that packs went without, so far."""


def save_checkpoint(
    folder: str,
    progress: Progress,
    *,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    identity: Mapping[str, Any],
    ranks: Ranks,
) -> None:
    """Write a checkpoint; all ranks call this, and it appears under its name only when all have written.

    Args:
        folder: Of the checkpoints.
        progress: How far the run has come.
        model: Sharded or not.
        optimiser: Of the same model.
        identity: JSON values that must be the same when training goes on.
        ranks: The callers.
    """
    target = Path(folder) / f"{PREFIX}{progress.step:08d}"
    partial = Path(folder) / f".{target.name}.partial"
    if ranks.is_first:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    wait_for_all()
    weights, state = get_state_dict(model, optimiser)
    save({"model": weights, "optimiser": state}, checkpoint_id=partial)
    if ranks.is_first:
        content = {**asdict(progress), "identity": identity}
        _write_synced(partial / PROGRESS_NAME, json.dumps(content, indent=1))
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
    wait_for_all()


def list_checkpoints(folder: str) -> list[Path]:
    """Return the complete checkpoints, oldest first."""
    found = Path(folder).glob(f"{PREFIX}*")
    return sorted(path for path in found if (path / PROGRESS_NAME).exists())


def prune_checkpoints(folder: str, *, keep: int) -> None:
    """Delete all complete checkpoints but the newest ``keep``."""
    for path in list_checkpoints(folder)[:-keep]:
        # Renamed first: a half-deleted checkpoint must not look complete.
        doomed = path.rename(path.with_name(f".{path.name}.partial"))
        shutil.rmtree(doomed, ignore_errors=True)
    for unfinished in Path(folder).glob(f".{PREFIX}*.partial"):
        shutil.rmtree(unfinished, ignore_errors=True)


def load_checkpoint(
    path: Path, *, model: nn.Module, optimiser: torch.optim.Optimizer, identity: Mapping[str, Any]
) -> Progress:
    """Read a checkpoint into model and optimiser; the number of ranks may be another than when it was written.

    Raises:
        CurateError: It was written with other settings; names each.
    """
    content = json.loads((path / PROGRESS_NAME).read_text(encoding="utf-8"))
    differences = _differences(content.pop("identity"), json.loads(json.dumps(identity)))
    if differences:
        raise CurateError(
            f"{path} was written with other settings; go on with those, or start in another output: "
            + "; ".join(differences)
        )
    weights, state = get_state_dict(model, optimiser)
    load({"model": weights, "optimiser": state}, checkpoint_id=path)
    set_state_dict(model, optimiser, model_state_dict=weights, optim_state_dict=state)
    return Progress(**content)


def _differences(saved: Any, now: Any, *, place: str = "") -> list[str]:
    if isinstance(saved, dict) and isinstance(now, dict):
        names = sorted(saved.keys() | now.keys())
        return [
            difference
            for name in names
            for difference in _differences(saved.get(name), now.get(name), place=f"{place}.{name}".lstrip("."))
        ]
    return [] if saved == now else [f"{place} was {saved}, is {now}"]


def _write_synced(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
