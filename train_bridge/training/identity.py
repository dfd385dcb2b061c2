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
"""These may change without another plan, but neither come nor go: packs at the end of an epoch are others than those
amid a run."""
PLAN = {
    "counted",
    "consumed",
    "num_steps",
    "data.kinds",
    "data.max_repeats",
    "data.order",
    "data.block_shards",
    "data.sources",
    "data.weight_unit",
    "data.weights",
    "optim.epochs",
    "optim.max_steps",
}
"""With these the plan begins anew after the step, see ``changed_plan``; so do their parts."""
WORDS = {"counted": "the shards or the tokenizer, by what was counted of them"}
"""For what no setting is called."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """Differences between two identities, each with both values."""

    allowed: tuple[str, ...]
    refused: tuple[str, ...]
    plan: tuple[str, ...] = ()
    """Allowed too, but what comes when is another."""


def find_changes(saved: Any, now: Any) -> Changes:
    """Compare the identity of a checkpoint, as JSON has it, with that of a run."""
    found: dict[str, list[str]] = {"allowed": [], "plan": [], "refused": []}
    for place, old, new in _differences(saved, now):
        is_number = place in CHANGEABLE_NUMBERS and old is not None and new is not None
        is_plan = place in PLAN or any(place.startswith(f"{part}.") for part in PLAN)
        sort = "allowed" if place in CHANGEABLE or is_number else "plan" if is_plan else "refused"
        found[sort].append(f"{WORDS.get(place, place)} was {old}, is {new}")
    return Changes(**{sort: tuple(lines) for sort, lines in found.items()})


def _differences(saved: Any, now: Any, *, place: str = "") -> list[tuple[str, Any, Any]]:
    if isinstance(saved, dict) and isinstance(now, dict):
        names = sorted(saved.keys() | now.keys())
        return [
            difference
            for name in names
            for difference in _differences(saved.get(name), now.get(name), place=f"{place}.{name}".lstrip("."))
        ]
    return [] if saved == now else [(place, saved, now)]
