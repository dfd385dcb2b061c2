"""Builds the model and the processor of a folder of the VILA family, from the parts that ``checkpoints`` finds there.

Its two-layer and linear projectors become those of plain LLaVA, which every server knows; the others a ``VilaLlava``.
What the folder was, word for word, is kept in the model's configuration as ``vila_origin``, so that a later export can
write the same layout again, many stages on.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    CONFIG_MAPPING,
    AutoConfig,
    AutoImageProcessor,
    AutoModel,
    AutoModelForCausalLM,
    AutoTokenizer,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedConfig,
    PreTrainedModel,
)

from curate.contract.errors import CurateError
from train_bridge.checkpoints.foreign import ForeignModel, read_foreign
from train_bridge.checkpoints.layouts import CONFIG_NAME, Layout, find_layout, local_folder, read_json
from train_bridge.config import StageConfig
from train_bridge.model.assemble import join_towers
from train_bridge.model.vila_llava import VilaLlavaConfig
from train_bridge.model.whole import load_whole
from train_bridge.model_config import ImageConfig

ORIGIN = "vila_origin"
"""Of a model's configuration: ``layout``, ``folder``, ``root``, ``parts``, ``vocab_size``, and whether its files held
a tower and an output matrix, ``has_tower`` and ``has_head``; ``chat_template``, as it was."""
HEAD = "lm_head.weight"
PLAIN = {"linear": "linear", "mlp2x_gelu": "gelu"}
"""Projectors that the plain class has, with their activation."""


def foreign_model(config: StageConfig) -> ForeignModel | None:
    """Return the model that a stage begins from, if its folder is one of the VILA family's layouts.

    Raises:
        CurateError: The folder is of no layout that is known, or asks for what is not done here.
    """
    if config.init_from is None:
        return None
    folder = local_folder(config.init_from)
    if (layout := find_layout(folder)) is Layout.LLAVA:
        return None
    return read_foreign(folder, layout, patch_order=config.model.patch_order, tower=config.model.vision)


def order_of_folder(name: str) -> str | None:
    """Return in which order a projector of a folder reads joined patches; None where nothing says it."""
    if not (Path(name) / CONFIG_NAME).is_file():
        return None
    settings = read_json(Path(name) / CONFIG_NAME)
    if "patch_order" in settings:
        return str(settings["patch_order"])
    layout = find_layout(name)
    return None if layout is Layout.LLAVA else read_foreign(name, layout).patch_order


def describe_foreign(foreign: ForeignModel) -> str:
    """Say in a line what was read of a folder, and what was concluded from it."""
    version = foreign.root.get("transformers_version") or "an unknown version"
    order = f", joined patches by {foreign.patch_order}" if foreign.projector == "mlp_downsample" else ""
    newline = ", a line break of the model behind each" if foreign.image_newline else ""
    talk = "of the tokenizer" if foreign.chat_template is None else "of VILA's code for such a language model"
    return (
        f"{foreign.folder}: layout {foreign.layout} (transformers {version}), projector {foreign.projector}{order}; "
        f"images: {foreign.image_mode or 'as its image processor makes them'}{newline}; conversations: {talk}"
    )


def image_settings(foreign: ForeignModel, config: ImageConfig) -> ImageConfig:
    """Return how images are made: as the stage says, or else as the folder does."""
    if config.mode is not None or foreign.image_mode is None:
        return config
    tiles = {name: int(foreign.root[name]) for name in ("min_tiles", "max_tiles") if foreign.root.get(name)}
    scales = {"s2_scales": foreign.s2_scales} if foreign.s2_scales else {}
    return ImageConfig.model_validate({"mode": foreign.image_mode, **tiles, **scales})


def tower_config(foreign: ForeignModel) -> PreTrainedConfig:
    """Return the configuration of the vision tower."""
    settings = dict(foreign.parts["vision_tower"])
    if not settings or foreign.read_vision is None:
        found = AutoConfig.from_pretrained(foreign.tower)
        return getattr(found, "vision_config", found)
    return _known_config(settings, part="vision_tower", folder=foreign.folder)


def imported_parts(foreign: ForeignModel) -> tuple[Any, Any]:
    """Return tokenizer and image processor as the folder has them."""
    # With a configuration at hand it does not look for one: that of a flat folder is of a type that it does not know.
    tokenizer = AutoTokenizer.from_pretrained(foreign.tokenizer, config=text_settings(foreign))
    return tokenizer, AutoImageProcessor.from_pretrained(foreign.tower)


def text_settings(foreign: ForeignModel) -> PreTrainedConfig:
    """Return the configuration of the language model."""
    return _known_config(dict(foreign.text_config), part="llm", folder=foreign.folder)


def _known_config(settings: dict[str, Any], *, part: str, folder: str) -> PreTrainedConfig:
    kind = str(settings.pop("model_type", None))
    if kind not in CONFIG_MAPPING:
        raise CurateError(f"{folder}: {part} is of type {kind}, which transformers does not know")
    return AutoConfig.for_model(kind, **settings)


def import_model(
    foreign: ForeignModel, *, processor: LlavaProcessor, image_seq_length: int
) -> LlavaForConditionalGeneration:
    """Return the model in fp32 on the CPU.

    Args:
        foreign: Of ``foreign_model``.
        processor: Of the stage.
        image_seq_length: Tokens per placeholder.

    Raises:
        CurateError: Tensors are missing, unexpected, or of another shape.
    """
    tensors = foreign.read_text()
    llm = load_whole(AutoModelForCausalLM, text_settings(foreign), tensors, place=f"{foreign.folder}, language model")
    vision = _tower(foreign)
    origin = {
        "layout": str(foreign.layout),
        "folder": str(Path(foreign.folder).resolve()),
        "root": dict(foreign.root),
        "parts": {name: dict(part) for name, part in foreign.parts.items()},
        "vocab_size": llm.config.vocab_size,
        "has_tower": foreign.read_vision is not None,
        "has_head": HEAD in tensors,
        "chat_template": foreign.chat_template or imported_parts(foreign)[0].chat_template,
    }
    model = join_towers(
        vision,
        llm,
        num_tokens=len(processor.tokenizer),
        settings=lambda text: _settings(foreign, processor, text, vision.config, image_seq_length),
        name=foreign.folder,
    )
    setattr(model.config, ORIGIN, origin)
    _fill_projector(model.model.multi_modal_projector, foreign)
    return model


def _settings(
    foreign: ForeignModel, processor: LlavaProcessor, text: PreTrainedConfig, vision: PreTrainedConfig, length: int
) -> LlavaConfig:
    own: dict[str, Any] = {"projector_hidden_act": PLAIN.get(foreign.projector)}
    if is_vila := foreign.projector not in PLAIN:
        scales = list(foreign.s2_scales) if foreign.s2_scales else None
        own = {"projector_type": foreign.projector, "patch_order": foreign.patch_order, "s2_scales": scales}
    return (VilaLlavaConfig if is_vila else LlavaConfig)(
        **own,
        vision_config=vision,
        text_config=text,
        image_token_index=processor.image_token_id,
        image_seq_length=length,
        vision_feature_select_strategy=foreign.select,
        vision_feature_layer=foreign.select_layer,
        tie_word_embeddings=text.tie_word_embeddings,
    )


def _tower(foreign: ForeignModel) -> PreTrainedModel:
    config = tower_config(foreign)
    if foreign.read_vision is not None:
        return load_whole(AutoModel, config, foreign.read_vision(), place=f"{foreign.folder}, vision tower")
    model, info = AutoModel.from_pretrained(foreign.tower, config=config, dtype=torch.float32, output_loading_info=True)
    if info["missing_keys"]:
        raise CurateError(f"{foreign.tower}: weights are missing, among them {min(info['missing_keys'])}")
    return model


def _fill_projector(projector: nn.Module, foreign: ForeignModel) -> None:
    """Give the projector its weights.

    Raises:
        CurateError: They are not those of its type.
    """
    fill_projector(projector, foreign.read_projector(), kind=foreign.projector, place=foreign.folder)


def fill_projector(projector: nn.Module, tensors: Mapping[str, torch.Tensor], *, kind: str, place: str) -> None:
    """Give a projector weights whose names are those of ``vila_llava.projector_layers``.

    Args:
        projector: Of a model of ours.
        tensors: As NVlabs/VILA names them, without ``layers.``.
        kind: Type, as NVlabs/VILA names it.
        place: For the error.

    Raises:
        CurateError: They are not those of its type.
    """
    state = {name: value.float() for name, value in tensors.items()}
    if kind == "linear":
        state = {f"linear_1.{name}": value for name, value in state.items()}
        state["linear_2.weight"] = torch.eye(len(state["linear_1.weight"]))
        state["linear_2.bias"] = torch.zeros(len(state["linear_1.weight"]))
    elif kind in PLAIN:
        names = {"0": "linear_1", "2": "linear_2"}
        state = {f"{names.get(place_of, place_of)}.{rest}": v for (place_of, _, rest), v in _split(state).items()}
    else:
        state = {f"layers.{name}": value for name, value in state.items()}
    own = {name: tuple(value.shape) for name, value in projector.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in state.items()}
    if own != found:
        strange = sorted(name for name in own.keys() | found.keys() if own.get(name) != found.get(name))
        detail = (
            f"{strange[0]} has the shape {found.get(strange[0], 'of none')}, expected {own.get(strange[0], 'none')}"
        )
        raise CurateError(f"{place}: these are not the weights of a projector {kind}: {detail}")
    projector.load_state_dict(state, assign=True)


def _split(state: Mapping[str, torch.Tensor]) -> dict[tuple[str, str, str], torch.Tensor]:
    return {name.partition("."): value for name, value in state.items()}
