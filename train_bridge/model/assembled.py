"""Puts towers that are there into one LLaVA model; only its projector is then without weights."""

from collections.abc import Mapping
from typing import Any

import torch
from transformers import LlavaConfig, LlavaForConditionalGeneration, PreTrainedModel

from curate.contract.errors import CurateError
from train_bridge.model.vila_llava import VilaLlava, VilaLlavaConfig

CLASSES: dict[str, type[LlavaForConditionalGeneration]] = {
    "llava": LlavaForConditionalGeneration,
    VilaLlavaConfig.model_type: VilaLlava,
}
"""By model type."""
BASE_DTYPE = "base_dtype"
"""Of a model's configuration: the dtype of the weights that it began with, such as ``bfloat16``."""
VOCAB_MULTIPLE = 64
"""Rows of embeddings are padded to it where tokens are added."""


def model_class(model_type: str) -> type[LlavaForConditionalGeneration]:
    """Return the class of a model's type.

    Raises:
        CurateError: None of those that are trained here.
    """
    if model_type not in CLASSES:
        raise CurateError(f"a model of type {model_type} cannot be trained here; known are {', '.join(CLASSES)}")
    return CLASSES[model_type]


def assemble(settings: LlavaConfig, *, vision: PreTrainedModel, llm: PreTrainedModel) -> LlavaForConditionalGeneration:
    """Return a model of both towers, on the CPU; the projector has memory and no values.

    Args:
        settings: With the towers' configurations.
        vision: Tower.
        llm: Causal language model.
    """
    with torch.device("meta"):
        model = model_class(settings.model_type)(settings)
    model.model.vision_tower, model.model.language_model, model.lm_head = vision, llm.model, llm.lm_head
    model.model.multi_modal_projector.to_empty(device="cpu")
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
            table.weight[before:].zero_()


def stored_dtype(settings: Mapping[str, Any]) -> str:
    """Return the dtype of the weights of a folder, by its configuration; ``float32`` where that says nothing.

    Args:
        settings: Of the model or its language model, as they stand in ``config.json``.
    """
    text = settings.get("text_config") or {}
    places = ((settings, "dtype"), (settings, "torch_dtype"), (text, "dtype"), (text, "torch_dtype"))
    own = next((where[name] for where, name in places if where.get(name)), None)
    found = str(own or settings.get("model_dtype") or "float32").removeprefix("torch.")
    return found if found in ("bfloat16", "float16", "float32") else "float32"
