"""Frozen weights in bf16: half of what they take in fp32.

Only matrices of linear layers are changed. A computation in bf16 rounds them before each product anyway, by autocast or
when FSDP gathers them, so all results are the same; embeddings and norms are used in fp32 by autocast and stay so.
"""

import torch
from torch import nn

from curate.contract.errors import RecipeError
from train_bridge.model_config import ModelConfig


def check_frozen_dtype(config: ModelConfig, *, dtype: torch.dtype) -> None:
    """Check that frozen weights can be held as the settings say.

    Args:
        config: Names their type.
        dtype: Of the computation.

    Raises:
        RecipeError: It is not that of the computation.
    """
    if config.frozen_dtype == "bf16" and dtype != torch.bfloat16:
        raise RecipeError(("model.frozen_dtype: bf16 needs a computation in bf16; set run.precision: bf16",))


def describe_held(num_held: int, *, base: str) -> list[str]:
    """Say how many weights are held in bf16, and that those of another type are rounded for good; nothing of none.

    Args:
        num_held: Of ``hold_frozen``.
        base: Type of the weights that the model began with, such as ``float16``.
    """
    if not num_held:
        return []
    lines = [f"{num_held:,} frozen weights are held in bf16"]
    if base != "bfloat16":
        lines.append(f"warning: model.frozen_dtype: they were {base}; the exported model has them as bf16 rounds them")
    return lines


def hold_frozen(model: nn.Module, config: ModelConfig) -> int:
    """Turn the frozen matrices of linear layers into the type that the settings name; return how many numbers.

    Args:
        model: Whole or on the meta device, with ``requires_grad`` set.
        config: Names the type; ``fp32`` changes nothing.
    """
    if config.frozen_dtype == "fp32":
        return 0
    tables = {id(one.weight) for one in model.modules() if isinstance(one, nn.Embedding)}
    num_held = 0
    for module in model.modules():
        if type(module) is nn.Linear and not module.weight.requires_grad and id(module.weight) not in tables:
            module.weight.data = module.weight.data.to(torch.bfloat16)
            num_held += module.weight.numel()
    return num_held
