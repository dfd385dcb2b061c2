"""Builds the model from parts, from an exported folder or at random, and says what learns.

It is ``LlavaForConditionalGeneration``, so that what is trained is what a plain install loads. For ``downsample_mlp``
it is a class derived from it, which an exported folder carries along (``downsample_llava.py``).
"""

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase

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
from train_bridge.config import Module, StageConfig
from train_bridge.model.assemble import family_config, find_base, fold_logit_scale, put_parts
from train_bridge.model.attention import set_attention
from train_bridge.model.downsample_llava import DownsampleLlava, DownsampleLlavaConfig
from train_bridge.model.family_llava import FamilyLlava, FamilyLlavaConfig
from train_bridge.model.parts import LlavaSettings, module_of, second_matrix, settings_of, unused_vision
from train_bridge.model.processor import tokens_per_image
from train_bridge.model.same_logits import check_logits, check_packs, remember
from train_bridge.model.tiny_model import tiny_configs
from train_bridge.model.towers import check_feature_layer, vision_config

ACTIVATIONS = {"linear": "linear", "mlp": "gelu", "downsample_mlp": "gelu"}
"""Of the projector. A linear one is a LLaVA projector whose activation is the identity and whose second matrix is kept
at the identity: one matrix learns, and the folder still loads with the plain class."""
CLASSES: dict[str, type[LlavaForConditionalGeneration]] = {
    "llava": LlavaForConditionalGeneration,
    DownsampleLlavaConfig.model_type: DownsampleLlava,
    FamilyLlavaConfig.model_type: FamilyLlava,
}
"""By model type."""
VOCAB_MULTIPLE = 64


def model_class(model_type: str) -> type[LlavaForConditionalGeneration]:
    """Return the class of a model's type.

    Raises:
        CurateError: None of those that are trained here.
    """
    if model_type not in CLASSES:
        raise CurateError(f"a model of type {model_type} cannot be trained here; known are {', '.join(CLASSES)}")
    return CLASSES[model_type]


def build_model(config: StageConfig, *, processor: LlavaProcessor) -> LlavaForConditionalGeneration:
    """Return the stage's model in fp32 on the CPU; random weights depend on ``run.seed`` alone.

    Raises:
        CurateError: The weights do not fit the processor, or the projector is another than the stage names.
    """
    if config.init_from is not None:
        model = _from_folder(config, config.init_from)
    elif config.model.tiny is not None:
        vision, text = tiny_configs(config.model.tiny, vocab_size=len(processor.tokenizer))
        torch.manual_seed(config.run.seed)
        settings = _model_config(config, processor, vision=vision, text=text)
        model = model_class(settings.model_type)(settings)
        _prepare_projector(model)
    else:
        model = _from_parts(config, processor)
    check_feature_layer(settings_of(model).vision_config, settings_of(model).vision_feature_layer)
    set_attention(model, "mask")
    if config.model.tiny is None:
        check_packs(model, name=str(config.init_from or config.model.llm))
    taken, written = settings_of(model).image_seq_length, tokens_per_image(processor)
    if taken != written:
        raise CurateError(f"the model takes {taken} tokens per image, the processor writes {written}")
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
    if config.model_type == DownsampleLlavaConfig.model_type:
        return "downsample_mlp"
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
    settings_class = DownsampleLlavaConfig if config.model.projector == "downsample_mlp" else LlavaConfig
    return settings_class(
        vision_config=vision,
        text_config=text,
        image_token_index=processor.image_token_id,
        image_seq_length=tokens_per_image(processor),
        projector_hidden_act=ACTIVATIONS[config.model.projector],
        vision_feature_select_strategy=processor.vision_feature_select_strategy,
        vision_feature_layer=config.model.vision_feature_layer,
        tie_word_embeddings=text.tie_word_embeddings,
    )


def _from_folder(config: StageConfig, folder: str) -> LlavaForConditionalGeneration:
    settings = PreTrainedConfig.get_config_dict(folder)[0]
    found = model_class(settings.get("model_type", "none"))
    model = found.from_pretrained(folder, dtype=torch.float32)
    projector = projector_of(settings_of(model))
    if "projector" in config.model.model_fields_set and config.model.projector != projector:
        raise CurateError(f"{folder} has the projector {projector}; model.projector says {config.model.projector}")
    return model


def _from_parts(config: StageConfig, processor: LlavaProcessor) -> LlavaForConditionalGeneration:
    """Put pre-trained towers into a model whose projector alone is random, and see that they say what they said."""
    name, tower = str(config.model.llm), vision_config(str(config.model.vision))
    vision = _load(AutoModel, str(config.model.vision), config=tower)
    llm = _load(AutoModelForCausalLM, name)
    base, memory = find_base(llm, name=name), remember(llm)
    torch.manual_seed(config.run.seed)
    if len(processor.tokenizer) > llm.config.vocab_size:
        # A new row is the image token's, which is never looked up: images replace it.
        llm.resize_token_embeddings(len(processor.tokenizer), pad_to_multiple_of=VOCAB_MULTIPLE, mean_resizing=False)
    fold_logit_scale(base, llm.config)
    settings = family_config(_model_config(config, processor, vision=tower, text=llm.config), llm)
    with torch.device("meta"):
        model = model_class(settings.model_type)(settings)
    put_parts(model, vision=vision, base=base, head=llm.get_output_embeddings(), name=name)
    projector = model.model.multi_modal_projector.to_empty(device="cpu")
    torch.manual_seed(config.run.seed)
    for layer in projector.modules():
        if isinstance(layer, nn.Linear | nn.LayerNorm):
            layer.reset_parameters()
    _prepare_projector(model)
    check_logits(model, memory, name=name)
    return model


def _load(auto_class: type[AutoModel | AutoModelForCausalLM], name: str, **options: object) -> PreTrainedModel:
    """Load weights and insist on having all of them: a missing one would be random, and nobody would know."""
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
