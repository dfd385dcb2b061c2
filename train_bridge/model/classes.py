"""The classes of models that are trained here, by the type in a configuration, and the dtype of stored weights."""

from collections.abc import Mapping
from typing import Any

from transformers import LlavaForConditionalGeneration

from curate.contract.errors import CurateError
from train_bridge.model.family_llava import FamilyLlava, FamilyLlavaConfig
from train_bridge.model.vila_llava import VilaLlava, VilaLlavaConfig

CLASSES: dict[str, type[LlavaForConditionalGeneration]] = {
    "llava": LlavaForConditionalGeneration,
    VilaLlavaConfig.model_type: VilaLlava,
    FamilyLlavaConfig.model_type: FamilyLlava,
}
"""By model type."""
BASE_DTYPE = "base_dtype"
"""Of a model's configuration: the dtype of the weights that it began with, such as ``bfloat16``."""


def model_class(model_type: str) -> type[LlavaForConditionalGeneration]:
    """Return the class of a model's type.

    Raises:
        CurateError: None of those that are trained here.
    """
    if model_type not in CLASSES:
        raise CurateError(f"a model of type {model_type} cannot be trained here; known are {', '.join(CLASSES)}")
    return CLASSES[model_type]


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
