"""What a run is: the settings that decide what is learned, and which of them may change when it goes on."""

from dataclasses import dataclass
from typing import Any

CHANGEABLE = {
    "num_steps",
    "optim.lr",
    "optim.schedule",
    "optim.warmup_ratio",
    "optim.warmup_steps",
    "optim.decay_ratio",
    "optim.min_lr_ratio",
    "optim.weight_decay",
    "optim.clip_norm",
}
CHANGEABLE_NUMBERS = {"optim.max_steps", "optim.module_lr.projector", "optim.module_lr.llm", "optim.module_lr.vision"}
"""These may change, but neither come nor go: packs at the end of an epoch are others than those amid a run."""
WORDS = {"counted": "the shards or the tokenizer, by what was counted of them"}
"""For what no setting is called."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """Differences between two identities, each with both values."""

    allowed: tuple[str, ...]
    refused: tuple[str, ...]


def find_changes(saved: Any, now: Any) -> Changes:
    """Compare the identity of a checkpoint, as JSON has it, with that of a run."""
    allowed: list[str] = []
    refused: list[str] = []
    for place, old, new in _differences(saved, now):
        is_number = place in CHANGEABLE_NUMBERS and old is not None and new is not None
        target = allowed if place in CHANGEABLE or is_number else refused
        target.append(f"{WORDS.get(place, place)} was {old}, is {new}")
    return Changes(allowed=tuple(allowed), refused=tuple(refused))


def _differences(saved: Any, now: Any, *, place: str = "") -> list[tuple[str, Any, Any]]:
    if isinstance(saved, dict) and isinstance(now, dict):
        names = sorted(saved.keys() | now.keys())
        return [
            difference
            for name in names
            for difference in _differences(saved.get(name), now.get(name), place=f"{place}.{name}".lstrip("."))
        ]
    return [] if saved == now else [(place, saved, now)]
