"""How far back the layers of a language model see, read off its configuration.

transformers builds these masks from whole rows; packs bring masks of their own, which must say the same for each
sample. Models take them in two ways: one mask for all layers (``ONE_MASK``), or a dictionary with one per type of layer
(``BY_LAYER``). Golden tests hold both against the samples alone (``train_bridge.families``).
"""

from dataclasses import dataclass
from typing import Protocol

from curate.contract.errors import RecipeError

FULL, SLIDING, CHUNKED = "full_attention", "sliding_attention", "chunked_attention"
"""Types of layers, as transformers calls them."""
ONE_MASK = ("mistral", "mixtral", "phi3", "qwen3_moe", "starcoder2")
"""Model types whose window is that of every layer."""
BY_LAYER = (
    "cohere2",
    "exaone4",
    "gemma2",
    "gemma3_text",
    "llama4_text",
    "ministral",
    "olmo3",
    "qwen2",
    "qwen2_moe",
    "qwen3",
    "smollm3",
)
"""Model types whose configuration has ``layer_types``."""


class LanguageSettings(Protocol):
    """What is read of a language model's configuration; the windows only where it has them."""

    model_type: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """What a token sees, itself included."""

    size: int
    """Tokens."""
    is_chunk: bool = False
    """The chunk of so many tokens that it is in, counted from the start of its sample; else so many before it."""


Windows = dict[str, Window | None]
"""By type of layer; None sees all that is before."""


def windows_of(settings: LanguageSettings) -> Window | Windows | None:
    """Return one window for all layers, or one per type of layer where these differ; None where all see everything.

    A type that is in neither table has none here; ``check_window`` refuses what would be longer than its window.
    """
    if settings.model_type in ONE_MASK:
        size = _size(settings, "sliding_window")
        return None if size is None else Window(size=size)
    if settings.model_type not in BY_LAYER:
        return None
    known = {FULL: None, SLIDING: _size(settings, "sliding_window"), CHUNKED: _size(settings, "attention_chunk_size")}
    types = sorted(set(getattr(settings, "layer_types", None) or ()))
    if types in ([], [FULL]):
        return None
    sizes = {name: known[name] for name in types}
    return {name: None if size is None else Window(size=size, is_chunk=name == CHUNKED) for name, size in sizes.items()}


def check_window(settings: LanguageSettings, *, seq_length: int) -> None:
    """Check that packs keep to the windows of a model.

    Args:
        settings: Of the language model.
        seq_length: Tokens of a pack, which a sample may fill.

    Raises:
        RecipeError: A sample may be longer than the window of a model whose windows are not known here.
    """
    if settings.model_type in (*ONE_MASK, *BY_LAYER):
        return
    sizes = {name: _size(settings, name) for name in ("sliding_window", "attention_chunk_size")}
    short = {name: size for name, size in sizes.items() if size is not None and size < seq_length}
    if short and getattr(settings, "use_sliding_window", True):
        name, size = min(short.items(), key=lambda item: item[1])
        known = ", ".join(sorted((*ONE_MASK, *BY_LAYER)))
        fault = (
            f"{seq_length} is more than the {name} of {size} tokens of this language model, and packs know the windows "
            f"of other types only ({known}); take at most {size}"
        )
        raise RecipeError((f"pack.seq_length: {fault}",))


def _size(settings: LanguageSettings, name: str) -> int | None:
    """Return the tokens of a window; 0 stands for none, too."""
    size = getattr(settings, name, None)
    return int(size) if size else None
