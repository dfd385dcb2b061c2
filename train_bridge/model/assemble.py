"""Puts a causal language model into LLaVA, with what it does around its layers.

- A scale of the logits (Cohere, Granite) is moved into the last norm: ``scale * (W (g * x)) = W ((scale * g) * x)``, so
  that matrices that are tied stay tied, and the configuration says 1. Nothing is rounded if it is a power of two.
- A bias or a cap behind the output matrix, and registers of a vision tower, make it a ``FamilyLlava``.
- Anything else is refused, by ``put_parts`` or by the comparison of ``same_logits``.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from transformers import LlavaConfig, LlavaForConditionalGeneration, PreTrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_MAPPING

from curate.contract.errors import CurateError
from train_bridge.model.classes import model_class
from train_bridge.model.family_llava import FamilyLlavaConfig
from train_bridge.model.parts import LANGUAGE_MODEL, VISION_TOWER
from train_bridge.model.same_logits import check_logits, remember
from train_bridge.model.towers import num_registers

MULTIPLIERS = {"cohere": "logit_scale", "cohere2": "logit_scale"}
"""By model type, the field whose number logits are multiplied by."""
DIVISORS = {"granite": "logits_scaling", "granitemoe": "logits_scaling"}
"""By model type, the field whose number logits are divided by."""
VOCAB_MULTIPLE = 64
"""Rows of embeddings are padded to it where tokens are added."""
EMBEDDING, LAYERS, LAST_NORM = "embed_tokens", "layers", "norm"


def join_towers(
    vision: PreTrainedModel,
    llm: PreTrainedModel,
    *,
    num_tokens: int,
    settings: Callable[[PreTrainedConfig], LlavaConfig],
    name: str,
) -> LlavaForConditionalGeneration:
    """Return a model of both towers, on the CPU; the projector has memory and no values.

    Args:
        vision: Tower.
        llm: Causal language model; it is taken apart.
        num_tokens: Of its tokenizer.
        settings: Makes the model's configuration of the language model's.
        name: Of the language model, for errors.

    Raises:
        CurateError: It cannot be put into LLaVA, or says something else there.
    """
    base, memory = find_base(llm, name=name), remember(llm)
    grow_vocabulary(llm, num_tokens=num_tokens)
    fold_logit_scale(base, llm.config)
    config = family_config(settings(llm.config), llm)
    with torch.device("meta"):
        model = model_class(config.model_type)(config)
    put_parts(model, vision=vision, base=base, head=llm.get_output_embeddings(), name=name)
    model.model.multi_modal_projector.to_empty(device="cpu")
    check_logits(model, memory, name=name)
    return model


def grow_vocabulary(llm: PreTrainedModel, *, num_tokens: int) -> None:
    """Give a causal model rows for added tokens: zeros, so that the same folder is the same model each time.

    The image's row is never looked up, for images replace it.

    Args:
        llm: Changed; larger ones stay as they are.
        num_tokens: Of its tokenizer.
    """
    before = llm.config.vocab_size
    if num_tokens <= before:
        return
    llm.resize_token_embeddings(num_tokens, pad_to_multiple_of=VOCAB_MULTIPLE, mean_resizing=False)
    with torch.no_grad():
        for table in (llm.get_input_embeddings(), llm.get_output_embeddings()):
            for weight in table.parameters():
                weight[before:].zero_()


@torch.no_grad()
def fold_logit_scale(base: nn.Module, config: PreTrainedConfig) -> None:
    """Move a scale of the logits into the last norm, which alone is before the output matrix.

    Args:
        base: What ``find_base`` found.
        config: Of the language model; it says 1 from here on.
    """
    for fields, is_divisor in ((MULTIPLIERS, False), (DIVISORS, True)):
        if (field := fields.get(config.model_type)) is not None:
            scale = float(getattr(config, field))
            for weight in base.get_submodule(LAST_NORM).parameters():
                weight.mul_(1 / scale if is_divisor else scale)
            setattr(config, field, 1.0)


def family_config(settings: LlavaConfig, llm: PreTrainedModel) -> LlavaConfig:
    """Return a configuration whose model has what the language model and the vision tower need.

    Args:
        settings: Of the model without it.
        llm: The causal language model.

    Raises:
        CurateError: They need something, and the projector is one of another class.
    """
    needs: dict[str, Any] = {}
    if llm.get_output_embeddings().bias is not None:
        needs["lm_head_bias"] = True
    if (cap := getattr(llm.config, "final_logit_softcapping", None)) is not None:
        needs["logit_softcap"] = float(cap)
    registers = num_registers(settings.vision_config)
    if registers and settings.vision_feature_select_strategy == "default":
        needs["num_registers"] = registers
    if not needs:
        return settings
    if settings.model_type != LlavaConfig.model_type:
        wanted = ", ".join(needs)
        raise CurateError(
            f"{llm.config.model_type} with {settings.vision_config.model_type} needs {wanted}, which a model with this "
            "projector has not; take model.projector: linear or mlp"
        )
    known = {name: value for name, value in settings.to_dict().items() if name != "model_type"}
    known |= {"vision_config": settings.vision_config, "text_config": settings.text_config}
    return FamilyLlavaConfig(**known, **needs)


def put_parts(model: nn.Module, *, vision: nn.Module, base: nn.Module, head: nn.Module, name: str) -> None:
    """Put towers with weights into a model that was built of its configuration, and see that it can be built so again.

    Args:
        model: Its towers are on the meta device.
        vision: The vision tower.
        base: Of the causal language model, what ``find_base`` found.
        head: Its output matrix.
        name: Of it, for errors.

    Raises:
        CurateError: A model of this configuration has other weights.
    """
    names = model.state_dict().keys()
    for path, part in ((VISION_TOWER, vision), (LANGUAGE_MODEL, base)):
        parent, _, child = path.rpartition(".")
        setattr(model.get_submodule(parent), child, part)
    for field, weight in head.named_parameters():
        setattr(model.get_submodule("lm_head"), field, weight)
    if strange := sorted(model.state_dict().keys() ^ names):
        wanted = "a model of its configuration has other weights than it has, among them"
        raise CurateError(f"model.llm: {name}: {wanted} {strange[0]}")


def find_base(llm: PreTrainedModel, *, name: str) -> nn.Module:
    """Return the part of a causal language model that LLaVA builds of its configuration too.

    Args:
        llm: The causal language model.
        name: Of it, for errors.

    Raises:
        CurateError: There is none, or it is laid out otherwise than LLaVA expects.
    """
    kind, wanted = llm.config.model_type, MODEL_MAPPING.get(type(llm.config), None)
    found = [child for child in llm.children() if type(child) is wanted]
    if len(found) != 1:
        raise CurateError(
            f"model.llm: {name}: a {type(llm).__name__} holds no model as transformers builds one of {kind}"
        )
    base: nn.Module = found[0]
    if not isinstance(getattr(base, LAYERS, None), nn.ModuleList):
        raise CurateError(f"model.llm: {name}: a model of type {kind} does not keep its layers at {LAYERS}")
    if llm.config.tie_word_embeddings and not hasattr(base, EMBEDDING):
        raise CurateError(
            f"model.llm: {name}: it ties its output matrix to an embedding that is not at {EMBEDDING}, where LLaVA's is"
        )
    return base
