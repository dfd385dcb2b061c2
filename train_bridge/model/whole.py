"""A model of transformers out of tensors that are at hand: whole, or not at all."""

from typing import Any

import torch
from transformers import PreTrainedConfig, PreTrainedModel

from curate.contract.errors import CurateError
from train_bridge.checkpoints.tensors import Tensors


def load_whole(auto_class: Any, config: PreTrainedConfig, tensors: Tensors, *, place: str) -> PreTrainedModel:
    """Return a model in fp32 of tensors that are at hand, and insist on having all of them, and no others.

    Args:
        auto_class: Of transformers, that knows the model's class.
        config: Of the model.
        tensors: As any version of transformers names them.
        place: For the error.

    Raises:
        CurateError: Tensors are missing, not known, or of another shape.
    """
    model_class = auto_class._model_mapping[type(config)]  # noqa: SLF001 - an auto class itself wants a folder
    model, info = model_class.from_pretrained(
        None,
        config=config,
        state_dict=tensors,
        dtype=torch.float32,
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # which are faults here, with a name
    )
    faults = [
        f"{len(names)} tensors are {fault}, among them {min(map(str, names))}"
        for fault, names in (
            ("missing", info["missing_keys"]),
            ("not known", info["unexpected_keys"]),
            ("of another shape", info["mismatched_keys"]),
        )
        if names
    ]
    if faults:
        raise CurateError(f"{place}: {'; '.join(faults)}")
    return model
