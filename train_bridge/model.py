"""Builds ``LlavaForConditionalGeneration`` from parts, from an exported folder or at random, and says what learns."""

from collections.abc import Collection, Iterable
from typing import Any

import torch
from torch import nn
from transformers import AutoModel, AutoModelForCausalLM, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor

from curate.contract.errors import CurateError
from train_bridge.config import Module, StageConfig
from train_bridge.processor import tokens_per_image, vision_config
from train_bridge.tiny_model import tiny_configs

ACTIVATIONS = {"linear": "linear", "mlp": "gelu"}
"""Of the projector. A linear one is a LLaVA projector whose activation is the identity and whose second matrix is kept
at the identity: one matrix learns, and the folder still loads with the plain class."""
VOCAB_MULTIPLE = 64


def build_model(config: StageConfig, *, processor: LlavaProcessor) -> LlavaForConditionalGeneration:
    """Return the stage's model in fp32 on the CPU; random weights depend on ``run.seed`` alone.

    Raises:
        CurateError: The weights do not fit the processor.
    """
    if config.init_from is not None:
        model = LlavaForConditionalGeneration.from_pretrained(config.init_from, dtype=torch.float32)
    elif config.model.tiny is not None:
        vision, text = tiny_configs(config.model.tiny, vocab_size=len(processor.tokenizer))
        torch.manual_seed(config.run.seed)
        model = LlavaForConditionalGeneration(_llava_config(config, processor, vision=vision, text=text))
        _prepare_projector(model)
    else:
        model = _from_parts(config, processor)
    if model.config.image_seq_length != tokens_per_image(processor):
        raise CurateError(
            f"the model takes {model.config.image_seq_length} tokens per image, the processor writes "
            f"{tokens_per_image(processor)}"
        )
    return model


def set_trainable(model: LlavaForConditionalGeneration, modules: Collection[Module]) -> list[str]:
    """Freeze everything but ``modules`` and return the names of the parameters that learn, in the model's order.

    Layers behind the vision feature that is used get no gradient; they stay frozen with ``vision`` too.
    """
    unused = {id(parameter) for parameter in _unused_vision(model)}
    for name, parameter in model.named_parameters():
        parameter.requires_grad = module_of(name) in modules and id(parameter) not in unused
    if is_linear(model):
        model.model.multi_modal_projector.linear_2.requires_grad_(requires_grad=False)
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


def module_of(name: str) -> Module:
    """Return the module that a parameter belongs to."""
    if name.startswith("model.vision_tower."):
        return Module.VISION
    return Module.PROJECTOR if name.startswith("model.multi_modal_projector.") else Module.LLM


def is_linear(model: LlavaForConditionalGeneration) -> bool:
    """Say whether the projector is a linear one."""
    return bool(model.config.projector_hidden_act == ACTIVATIONS["linear"])


def enable_checkpointing(model: LlavaForConditionalGeneration) -> None:
    """Recompute activations in the backward pass."""
    model.activation_checkpointing_enable({"use_reentrant": False})
    # It also makes the embeddings ask for gradients, which only the reentrant kind needs; with a frozen vision tower
    # that would send a backward pass through it for nothing.
    model.disable_input_require_grads()


def _llava_config(config: StageConfig, processor: LlavaProcessor, *, vision: Any, text: Any) -> LlavaConfig:
    return LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=processor.image_token_id,
        image_seq_length=tokens_per_image(processor),
        projector_hidden_act=ACTIVATIONS[config.model.projector],
        vision_feature_select_strategy=processor.vision_feature_select_strategy,
        vision_feature_layer=config.model.vision_feature_layer,
        tie_word_embeddings=text.tie_word_embeddings,
    )


def _from_parts(config: StageConfig, processor: LlavaProcessor) -> LlavaForConditionalGeneration:
    """Put pre-trained towers into a LLaVA whose projector alone is random."""
    tower = vision_config(str(config.model.vision))
    vision = _load(AutoModel, str(config.model.vision), config=tower)
    llm = _load(AutoModelForCausalLM, str(config.model.llm))
    if len(processor.tokenizer) > llm.config.vocab_size:
        # A new row is the image token's, which is never looked up: images replace it.
        llm.resize_token_embeddings(len(processor.tokenizer), pad_to_multiple_of=VOCAB_MULTIPLE, mean_resizing=False)
    with torch.device("meta"):
        model = LlavaForConditionalGeneration(_llava_config(config, processor, vision=tower, text=llm.config))
    model.model.vision_tower, model.model.language_model, model.lm_head = vision, llm.model, llm.lm_head
    projector = model.model.multi_modal_projector.to_empty(device="cpu")
    torch.manual_seed(config.run.seed)
    for layer in (projector.linear_1, projector.linear_2):
        layer.reset_parameters()
    _prepare_projector(model)
    return model


def _load(auto_class: Any, name: str, **options: Any) -> Any:
    """Load weights and insist on having all of them: a missing one would be random, and nobody would know."""
    model, info = auto_class.from_pretrained(name, dtype=torch.float32, output_loading_info=True, **options)
    if info["missing_keys"]:
        raise CurateError(f"{name}: weights are missing, among them {min(info['missing_keys'])}")
    return model


def _prepare_projector(model: LlavaForConditionalGeneration) -> None:
    if is_linear(model):
        second = model.model.multi_modal_projector.linear_2
        with torch.no_grad():
            nn.init.eye_(second.weight)
            nn.init.zeros_(second.bias)


def _unused_vision(model: LlavaForConditionalGeneration) -> Iterable[nn.Parameter]:
    tower, layer = model.model.vision_tower, model.config.vision_feature_layer
    layers = tower.encoder.layers
    # Hidden state 0 is the embedding, hidden state k the output of layer k - 1.
    num_used = layer if layer >= 0 else len(layers) + 1 + layer
    for unused in layers[num_used:]:
        yield from unused.parameters()
    yield from tower.post_layernorm.parameters()
    if hasattr(tower, "head"):
        yield from tower.head.parameters()
