"""The parts of a LLaVA model by name and type.

transformers has no types that mypy reads, so the trainer reaches into a model here only. Elsewhere it is ``nn.Module``
where torch suffices, and ``LlavaForConditionalGeneration`` where it is built, set up or called.
"""

from collections.abc import Iterator
from typing import Protocol

from torch import nn

from train_bridge.model.towers import TowerSettings, num_extra_tokens, side_of, tower_of
from train_bridge.model.windows import LanguageSettings
from train_bridge.model_config import Module

VISION_TOWER = "model.vision_tower"
PROJECTOR = "model.multi_modal_projector"
LANGUAGE_MODEL = "model.language_model"


class VisionSettings(TowerSettings, Protocol):
    """What is read of a vision tower's configuration."""

    hidden_size: int


class TextSettings(LanguageSettings, Protocol):
    """What is read of a language model's configuration."""

    hidden_size: int
    num_attention_heads: int
    num_hidden_layers: int


class LlavaSettings(Protocol):
    """What is read of a ``LlavaConfig``."""

    model_type: str
    projector_hidden_act: str
    vision_feature_layer: int
    """Which hidden state of the vision tower the projector takes: 0 is the embedding, negative ones count from the
    end."""
    vision_feature_select_strategy: str
    """Which of its tokens, see ``towers``."""
    image_seq_length: int
    """Tokens per image."""
    vision_config: VisionSettings
    text_config: TextSettings


def settings_of(model: nn.Module) -> LlavaSettings:
    """Return the configuration."""
    settings: LlavaSettings = vars(model)["config"]  # as an attribute torch calls it a tensor or a module
    return settings


def vision_tower(model: nn.Module) -> nn.Module:
    """Return the vision tower."""
    return model.get_submodule(VISION_TOWER)


def vision_layers(model: nn.Module) -> list[nn.Module]:
    """Return the layers of the vision tower, in order."""
    return list(vision_tower(model).get_submodule(tower_of(settings_of(model).vision_config).layers).children())


def num_vision_tokens(settings: LlavaSettings) -> int:
    """Return how many tokens the layers of the vision tower see of an image.

    Of a tower that interpolates its positions, as many as the projector takes: patches that it joins count once.
    """
    vision, extra = settings.vision_config, num_extra_tokens(settings.vision_config)
    if tower_of(vision).interpolates:
        return settings.image_seq_length + (extra if settings.vision_feature_select_strategy == "default" else 0)
    return (side_of(vision.image_size) // side_of(vision.patch_size)) ** 2 + extra


def projector(model: nn.Module) -> nn.Module:
    """Return what turns patches into tokens."""
    return model.get_submodule(PROJECTOR)


def second_matrix(model: nn.Module) -> nn.Module:
    """Return the projector's second linear layer."""
    return model.get_submodule(f"{PROJECTOR}.linear_2")


def language_layers(model: nn.Module) -> list[nn.Module]:
    """Return the layers of the language model, in order."""
    return list(model.get_submodule(f"{LANGUAGE_MODEL}.layers").children())


def output_matrix(model: nn.Module) -> nn.Parameter:
    """Return the language model's output matrix [V, D]."""
    return model.get_parameter("lm_head.weight")


def module_of(name: str) -> Module:
    """Return the module that a parameter belongs to."""
    if name.startswith(f"{VISION_TOWER}."):
        return Module.VISION
    return Module.PROJECTOR if name.startswith(f"{PROJECTOR}.") else Module.LLM


def unused_vision(model: nn.Module) -> Iterator[nn.Parameter]:
    """Yield the vision tower's parameters that no feature comes from: those behind it, and what only its training used.

    Raises:
        CurateError: A tower of a type that is not known.
    """
    layer, layers, tower = settings_of(model).vision_feature_layer, vision_layers(model), vision_tower(model)
    known = tower_of(settings_of(model).vision_config)
    # Hidden state 0 is the embedding, hidden state k the output of layer k - 1.
    num_used = layer if layer >= 0 else len(layers) + 1 + layer
    for unused in layers[num_used:]:
        yield from unused.parameters()
    for name, parameter in tower.named_parameters():
        if name in known.idle or name.partition(".")[0] in known.behind:
            yield parameter
