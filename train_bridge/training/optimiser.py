"""AdamW, and the learning rate of each step."""

import importlib
import importlib.util
import math
from collections.abc import Callable
from typing import cast

import torch
from torch import nn

from curate.contract.errors import RecipeError
from train_bridge.config import OptimConfig, Schedule
from train_bridge.model.parts import module_of
from train_bridge.model_config import Module

EIGHT_BIT = "torchao"
"""Has an AdamW with moments of 8 bits (arXiv 2110.02861), sharded as its weights are; that of bitsandbytes takes no
sharded weights."""


def check_optimiser(config: OptimConfig, *, find: Callable[[str], object] = importlib.util.find_spec) -> None:
    """Check that the optimiser is installed.

    Args:
        config: Names it.
        find: Returns None for a package that is not there.

    Raises:
        RecipeError: It is not; names the extra that it comes with.
    """
    if config.optimiser == "adamw_8bit" and find(EIGHT_BIT) is None:
        raise RecipeError(
            (f"optim.optimiser: adamw_8bit needs {EIGHT_BIT}; pip install 'vila-curate[adam8bit]', or take adamw",)
        )


def build_optimiser(model: nn.Module, config: OptimConfig) -> torch.optim.Optimizer:
    """Return AdamW over the parameters that learn; only matrices decay, as in the Hugging Face Trainer.

    On CUDA it is fused: one kernel for many weights. Modules of ``config.module_lr`` are groups of their own;
    ``lr_share`` of a group is its rate over ``config.lr``.

    Raises:
        RecipeError: A module with a rate has nothing that learns.
    """
    members: dict[tuple[Module | None, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            module = module_of(name)
            key = (module if module in config.module_lr else None, parameter.ndim > 1)
            members.setdefault(key, []).append(parameter)
    idle = sorted(set(config.module_lr) - {module for module, _ in members})
    if idle:
        raise RecipeError((f"optim.module_lr: nothing learns in {', '.join(idle)}",))
    groups: list[dict[str, object]] = [
        {
            "params": members[module, decays],
            "weight_decay": config.weight_decay if decays else 0.0,
            "lr_share": 1.0 if module is None else config.module_lr[module] / config.lr,
        }
        for module in (None, *Module)
        for decays in (True, False)
        if (module, decays) in members
    ]
    if config.optimiser == "adamw_8bit":
        eight_bit = importlib.import_module(f"{EIGHT_BIT}.optim").AdamW8bit
        return cast("torch.optim.Optimizer", eight_bit(groups, lr=config.lr, betas=config.betas, eps=config.eps))
    is_fused = next(weight for found in members.values() for weight in found).is_cuda or None
    return torch.optim.AdamW(groups, lr=config.lr, betas=config.betas, eps=config.eps, fused=is_fused)


def learning_rate(step: int, *, num_steps: int, config: OptimConfig) -> float:
    """Return the rate of ``step`` (0..num_steps-1): a linear warm-up, then what ``config.schedule`` says."""
    num_warmup = config.warmup_steps
    if num_warmup is None:
        num_warmup = math.ceil(config.warmup_ratio * num_steps)
    if step < num_warmup:
        return config.lr * (step + 1) / num_warmup
    num_falling = num_steps - num_warmup
    if config.schedule == "wsd":
        num_falling = min(num_falling, math.ceil(config.decay_ratio * num_steps))
    progress = max(0.0, (step - (num_steps - num_falling)) / max(1, num_falling))
    height = _height(progress, schedule=config.schedule)
    return config.lr * (config.min_lr_ratio + (1.0 - config.min_lr_ratio) * height)


def _height(progress: float, *, schedule: Schedule) -> float:
    """Return the share of the way from the floor to the peak, ``progress`` (0 to 1) after the fall began."""
    match schedule:
        case "constant":
            return 1.0
        case "cosine":
            return 0.5 * (1 + math.cos(math.pi * progress))
        case "linear" | "wsd":
            return 1.0 - progress


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Use ``rate`` in the next step, and the same share of it as ever where a module has its own."""
    for group in optimiser.param_groups:
        own = rate * group.get("lr_share", 1.0)
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(own)  # where the step is compiled
        else:
            group["lr"] = own
