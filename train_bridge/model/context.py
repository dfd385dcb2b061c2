"""Whether samples as long as a pack fit the language model: its positions, and its windows."""

from curate.contract.errors import RecipeError
from train_bridge.model.windows import LanguageSettings, check_window

STRETCHING = ("linear", "yarn", "llama3")
"""Kinds of scaled rotary positions, as transformers calls them, that serve ``factor`` times the original positions."""
CHANGING = ("dynamic", "longrope")
"""Kinds that scale all samples of a batch by its longest, so that within the original positions alone what a sample
gives does not depend on its neighbours."""


def check_context(settings: LanguageSettings, *, seq_length: int) -> None:
    """Check that a sample as long as a pack keeps to the positions and the windows of the language model.

    Args:
        settings: Of the language model; also read, where it has them, are ``max_position_embeddings``,
            ``rope_parameters``, and ``floor_scale`` with ``attn_temperature_tuning``.
        seq_length: Tokens of a pack.

    Raises:
        RecipeError: It does not.
    """
    num_positions = positions_of(settings)
    if num_positions is not None and seq_length > num_positions:
        factor = -(-seq_length // num_positions)
        fault = (
            f"{seq_length} is more than the {num_positions} positions of the language model "
            f"(max_position_embeddings, scaled: {_kinds(settings)}); take a shorter "
            'sequence, or scale them in its config.json: "rope_parameters": {"rope_type": "linear", "factor": '
            f"{factor}.0, ...}}"
        )
        raise RecipeError((f"pack.seq_length: {fault}",))
    check_window(settings, seq_length=seq_length)
    floor_scale = getattr(settings, "floor_scale", None)
    if getattr(settings, "attn_temperature_tuning", False) and floor_scale and seq_length >= floor_scale:
        fault = (
            f"{seq_length} reaches the floor_scale of {floor_scale} tokens of this language model, from where on "
            f"attention is scaled by the place in a pack instead of that in a sample; take at most {floor_scale - 1}"
        )
        raise RecipeError((f"pack.seq_length: {fault}",))


def positions_of(settings: LanguageSettings) -> int | None:
    """Return how many positions a language model has, rotary positions that are scaled included; None knows no end.

    Some configurations state the number after scaling (Llama 3.1), some the one before it (linear, YaRN of Qwen 2.5):
    the larger one holds. Kinds that look at the longest sample of a batch are served as far as they do not scale.
    """
    stated = getattr(settings, "max_position_embeddings", None)
    return None if stated is None else min(_positions(rope, stated) for rope in _ropes(settings))


def _ropes(settings: LanguageSettings) -> list[dict[str, object]]:
    """Return the rotary positions of each type of layer."""
    rope = getattr(settings, "rope_parameters", None) or {}
    return [value for value in rope.values() if isinstance(value, dict)] or [rope]


def _positions(rope: dict[str, object], stated: int) -> int:
    original, factor = rope.get("original_max_position_embeddings"), rope.get("factor")
    original = original if isinstance(original, int) else stated
    if rope.get("rope_type") in CHANGING:
        return min(original, stated)
    if rope.get("rope_type") in STRETCHING and isinstance(factor, int | float):
        return max(stated, int(original * factor))
    return stated


def _kinds(settings: LanguageSettings) -> str:
    kinds = {str(rope.get("rope_type", "default")) for rope in _ropes(settings)}
    return ", ".join(sorted(kinds)).replace("default", "not at all")
