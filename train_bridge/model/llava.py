"""Builds the model from parts, from an exported folder or at random, and says what learns.

It is ``LlavaForConditionalGeneration``, so that what is trained is what a plain install loads. For projectors that
join patches it is a class derived from it, which an exported folder carries along (``vila_llava.py``).
"""

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedConfig,
    PreTrainedModel,
)

from curate.contract.errors import CurateError, RecipeError
from train_bridge.checkpoints.exported import TOWER_NAME
from train_bridge.checkpoints.projector_file import read_projector
from train_bridge.config import StageConfig
from train_bridge.model.assemble import join_towers
from train_bridge.model.attention import set_attention
from train_bridge.model.classes import BASE_DTYPE, model_class, stored_dtype
from train_bridge.model.imported import fill_projector, foreign_model, import_model, order_of_folder
from train_bridge.model.parts import LlavaSettings, module_of, second_matrix, settings_of, unused_vision
from train_bridge.model.processor import s2_scales, tokens_per_image
from train_bridge.model.same_logits import check_packs
from train_bridge.model.taken_apart import is_whole, take_language_model, take_tower
from train_bridge.model.tiny_model import tiny_configs
from train_bridge.model.towers import check_feature_layer, vision_config
from train_bridge.model.vila_llava import VilaLlavaConfig
from train_bridge.model_config import RANDOM, Module

ACTIVATIONS = {"linear": "linear", "mlp": "gelu"}
"""Of the projectors that the plain class has. A linear one is a LLaVA projector whose activation is the identity and
whose second matrix is kept at the identity: one matrix learns, and the folder still loads with the plain class."""


FOREIGN_NAMES = {"mlp": "mlp2x_gelu"}
"""Projectors that NVlabs/VILA calls otherwise."""


def build_model(config: StageConfig, *, processor: LlavaProcessor) -> LlavaForConditionalGeneration:
    """Return the stage's model in fp32 on the CPU; random weights depend on ``run.seed`` alone.

    Raises:
        CurateError: The weights do not fit the processor, or the projector is another than the stage names.
    """
    if config.init_from is not None:
        model = _from_folder(config, config.init_from, processor=processor)
    elif config.model.tiny is not None:
        vision, text = tiny_configs(config.model.tiny, vocab_size=len(processor.tokenizer))
        torch.manual_seed(config.run.seed)
        settings = _model_config(config, processor, vision=vision, text=text)
        model = model_class(settings.model_type)(settings)
        _prepare_projector(model)
    else:
        model = _from_parts(config, processor)
    setattr(model.config, BASE_DTYPE, _base_dtype(config))
    if config.model.vision is not None:
        setattr(model.config, TOWER_NAME, config.model.vision)
    settings = settings_of(model)
    check_feature_layer(settings.vision_config, settings.vision_feature_layer)
    set_attention(model, "mask")
    if config.model.tiny is None:
        check_packs(model, name=str(config.init_from or config.model.llm))
    taken, written = settings_of(model).image_seq_length, tokens_per_image(processor)
    if taken != written:
        raise CurateError(f"the model takes {taken} tokens per image, the processor writes {written}")
    if (own := model.config.image_token_id) != processor.image_token_id:
        theirs = f"{processor.image_token_id} ({processor.image_token})"
        raise CurateError(f"the model's image token is {own}, that of its tokenizer {theirs}")
    if (scales := getattr(model.config, "s2_scales", None)) != s2_scales(processor):
        raise CurateError(
            f"the model joins {scales or 'no'} scales of an image (px), and image.mode gives {s2_scales(processor)}; "
            "leave image.mode out, or take a model of those scales"
        )
    return model


def set_trainable(
    model: nn.Module, modules: Collection[Module], *, unfreeze: Collection[str] = (), freeze: Collection[str] = ()
) -> list[str]:
    """Freeze everything but what is chosen and return the names of the parameters that learn, in the model's order.

    Layers behind the vision feature that is used get no gradient; they stay frozen whatever is chosen.

    Args:
        model: Whole.
        modules: Learn, each as a whole.
        unfreeze: Patterns of parameter names that learn too.
        freeze: Patterns of parameter names that do not; they win.

    Raises:
        RecipeError: A pattern that matches no parameter.
    """
    names = [name for name, _ in model.named_parameters()]
    idle = [p for p in (*unfreeze, *freeze) if not any(fnmatchcase(name, p) for name in names)]
    if idle:
        raise RecipeError(tuple(f"model.freeze/unfreeze: {pattern} matches no parameter" for pattern in idle))
    unused = {id(parameter) for parameter in unused_vision(model)}
    for name, parameter in model.named_parameters():
        chosen = module_of(name) in modules or _matches(name, unfreeze)
        parameter.requires_grad = chosen and not _matches(name, freeze) and id(parameter) not in unused
    if is_linear(model):
        second_matrix(model).requires_grad_(requires_grad=False)
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


def projector_of(config: LlavaSettings) -> str:
    """Return which projector a model's configuration has."""
    if config.model_type == VilaLlavaConfig.model_type:
        return str(vars(config)["projector_type"])
    return "linear" if config.projector_hidden_act == ACTIVATIONS["linear"] else "mlp"


def is_linear(model: nn.Module) -> bool:
    """Say whether the projector is a linear one."""
    return projector_of(settings_of(model)) == "linear"


def set_stop(model: LlavaForConditionalGeneration, token_ids: Sequence[int]) -> None:
    """Let ``generate``, and servers that read the exported folder, stop at any of these tokens."""
    first, *more = token_ids
    model.generation_config.eos_token_id = [first, *more] if more else first


def enable_checkpointing(model: PreTrainedModel) -> None:
    """Recompute activations in the backward pass."""
    model.activation_checkpointing_enable({"use_reentrant": False})
    # It also makes the embeddings ask for gradients, which only the reentrant kind needs; with a frozen vision tower
    # that would send a backward pass through it for nothing.
    model.disable_input_require_grads()


def _model_config(
    config: StageConfig, processor: LlavaProcessor, *, vision: PreTrainedConfig, text: PreTrainedConfig
) -> LlavaConfig:
    chosen = config.model
    projector, scales = chosen.new_projector, s2_scales(processor)
    own: dict[str, Any]
    if is_plain := projector in ACTIVATIONS:
        own = {"projector_hidden_act": ACTIVATIONS[projector]}
    else:
        own = {"projector_type": projector, "patch_order": _patch_order(config), "s2_scales": scales}
    if is_plain and scales:
        raise RecipeError(
            (f"image.mode: s2 needs a projector that joins patches, such as mlp_downsample; not {projector}",)
        )
    return (LlavaConfig if is_plain else VilaLlavaConfig)(
        **own,
        vision_config=vision,
        text_config=text,
        image_token_index=processor.image_token_id,
        image_seq_length=tokens_per_image(processor),
        vision_feature_select_strategy=processor.vision_feature_select_strategy,
        vision_feature_layer=config.model.vision_feature_layer,
        tie_word_embeddings=text.tie_word_embeddings,
    )


def _patch_order(config: StageConfig) -> str:
    """Return the order of joined patches of a new model: that of the weights which its projector begins with.

    Raises:
        CurateError: Nothing tells it.
    """
    chosen = config.model
    if (
        chosen.patch_order is not None
        or chosen.projector_from in (None, RANDOM)
        or chosen.projector != "mlp_downsample"
    ):
        return chosen.patch_order or "rows"
    found = order_of_folder(str(chosen.projector_from))
    if found is None:
        raise CurateError(
            f"model.projector_from: {chosen.projector_from} does not say whether its joined patches go by rows (NVILA) "
            "or by columns (VILA-1.5); say so with model.patch_order"
        )
    return found


def _base_dtype(config: StageConfig) -> str:
    origin = config.init_from or config.model.llm
    return "float32" if origin is None else stored_dtype(PreTrainedConfig.get_config_dict(origin)[0])


def _from_folder(config: StageConfig, folder: str, *, processor: LlavaProcessor) -> LlavaForConditionalGeneration:
    foreign = foreign_model(config)
    if foreign is None:
        model = _own_folder(folder, patch_order=config.model.patch_order, num_tokens=tokens_per_image(processor))
    else:
        model = import_model(foreign, processor=processor, image_seq_length=tokens_per_image(processor))
    projector = projector_of(settings_of(model))
    if config.model.projector not in (None, projector):
        raise CurateError(f"{folder} has the projector {projector}; model.projector says {config.model.projector}")
    return model


def _own_folder(folder: str, *, patch_order: str | None, num_tokens: int) -> LlavaForConditionalGeneration:
    """Load a folder of transformers' LLaVA or of our own, whole or not at all."""
    stored = PreTrainedConfig.get_config_dict(folder)[0]
    if not isinstance(layer := stored.get("vision_feature_layer", -2), int):
        raise CurateError(f"{folder}: vision_feature_layer {layer}: features of several layers cannot be trained here")
    changes: dict[str, object] = {}
    if patch_order and stored.get("model_type") == VilaLlavaConfig.model_type:
        changes["patch_order"] = patch_order
    if "image_seq_length" not in stored:  # older folders do not say it, and the class's default is CLIP's
        changes["image_seq_length"] = num_tokens
    return _load(model_class(str(stored.get("model_type"))), folder, **changes)


def _from_parts(config: StageConfig, processor: LlavaProcessor) -> LlavaForConditionalGeneration:
    """Put pre-trained towers into a model whose projector alone is random, and see that they say what they said."""
    name, place = str(config.model.llm), str(config.model.vision)
    tower = vision_config(place)
    model = join_towers(
        take_tower(place) if is_whole(place) else _load(AutoModel, place, config=tower),
        take_language_model(name) if is_whole(name) else _load(AutoModelForCausalLM, name),
        num_tokens=len(processor.tokenizer),
        settings=lambda text: _model_config(config, processor, vision=tower, text=text),
        name=name,
    )
    torch.manual_seed(config.run.seed)
    for layer in model.model.multi_modal_projector.modules():
        if isinstance(layer, nn.Linear | nn.LayerNorm):
            layer.reset_parameters()
    _prepare_projector(model)
    source = config.model.projector_from
    if source is not None and source != RANDOM:
        kind = FOREIGN_NAMES.get(config.model.new_projector, config.model.new_projector)
        tensors = read_projector(source, kind=kind)
        fill_projector(model.model.multi_modal_projector, tensors, kind=kind, place=source)
    return model


def _load(auto_class: type[Any], name: str, **options: object) -> PreTrainedModel:
    """Load weights and insist on having all of them: a missing one would be random, and nobody would know."""
    stored = PreTrainedConfig.get_config_dict(name)[0]
    if any(part.get("quantization_config") for part in (stored, stored.get("text_config") or {})):
        raise CurateError(f"{name}: its weights are quantised; take the folder with whole ones")
    model, info = auto_class.from_pretrained(name, dtype=torch.float32, output_loading_info=True, **options)
    if info["missing_keys"]:
        raise CurateError(f"{name}: weights are missing, among them {min(info['missing_keys'])}")
    return model


def _prepare_projector(model: nn.Module) -> None:
    if is_linear(model):
        second = second_matrix(model)
        with torch.no_grad():
            nn.init.eye_(second.get_parameter("weight"))
            nn.init.zeros_(second.get_parameter("bias"))


def _matches(name: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
