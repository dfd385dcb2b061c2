"""AdamW, and the learning rate of each step."""

import math
from typing import Any

import torch
from torch import nn

from train_bridge.config import OptimConfig


def build_optimiser(model: nn.Module, config: OptimConfig) -> torch.optim.AdamW:
    """Return AdamW over the parameters that learn; only matrices decay, as in the Hugging Face Trainer."""
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in learning if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in learning if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(groups, lr=config.lr, betas=config.betas, eps=config.eps)


def learning_rate(step: int, *, num_steps: int, config: OptimConfig) -> float:
    """Return the rate of ``step`` (0..num_steps-1): a linear warm-up, then half a cosine down to zero."""
    num_warmup = math.ceil(config.warmup_ratio * num_steps)
    if step < num_warmup:
        return config.lr * (step + 1) / num_warmup
    progress = (step - num_warmup) / max(1, num_steps - num_warmup)
    return config.lr * 0.5 * (1 + math.cos(math.pi * progress))


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Use ``rate`` in the next step."""
    for group in optimiser.param_groups:
        group["lr"] = rate
