"""Model FLOPs of a step, and the share of the device's peak that they are (MFU).

PaLM (arXiv 2204.02311, appendix B): a matrix of N weights costs 2N FLOPs per token forward, 2N to send the gradient
through it and 2N for its own gradient: 6N where everything learns. What is frozen has no gradient of its own, and what
nothing before it learns from sends none through. Attention costs 4 * width per pair of query and key and layer (scores
and sums), counted for the pairs that packed samples really see, and twice that backward. Recomputing activations,
padding, layers whose output is not used and table look-ups do not count: this is what the model needs, not what ran.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import nn

from train_bridge.model.parts import (
    language_layers,
    module_of,
    num_vision_tokens,
    output_matrix,
    projector,
    settings_of,
    unused_vision,
    vision_tower,
)
from train_bridge.model_config import Module

PEAK_FLOPS = {
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "H800": 989e12,
    "A100": 312e12,
    "A800": 312e12,
    "B200": 2250e12,
    "L40S": 362e12,
    "L4": 121e12,
    "A10G": 70e12,
    "A10": 125e12,
    "RTX 4090": 165e12,
    "MI300X": 1307e12,
}
"""Dense bf16 FLOPs per second by a part of the device's name, the first match: the vendors' data sheets."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelCost:
    """Training FLOPs, forward and backward."""

    per_token: float
    """Of the language model's layers."""
    per_pair: float
    """Of a query and a key of one sample, in all layers."""
    per_label: float
    """Of the output matrix, which runs at labels only."""
    per_image: float
    """Of vision tower and projector."""

    def flops(self, *, tokens: float, pairs: float, labels: float, images: float) -> float:
        """Return the FLOPs of so many of each."""
        return self.per_token * tokens + self.per_pair * pairs + self.per_label * labels + self.per_image * images


def cost_of(model: nn.Module, *, tokens_per_image: int) -> ModelCost:
    """Count a model whose ``requires_grad`` are set.

    Args:
        model: LLaVA-like; whole or sharded.
        tokens_per_image: What the projector gives.
    """
    unused = {id(parameter) for parameter in unused_vision(model)}
    learns = {module_of(name) for name, parameter in model.named_parameters() if parameter.requires_grad}
    settings = settings_of(model)
    vision, text = settings.vision_config, settings.text_config
    towers = Module.VISION in learns
    before_llm = towers or Module.PROJECTOR in learns
    num_patches = num_vision_tokens(settings)
    num_layers = settings.vision_feature_layer % (vision.num_hidden_layers + 1)
    tower = _matrices(vision_tower(model), lambda weight: id(weight) not in unused)
    image = num_patches * _per_token(tower, sends=towers)
    image += 4 * vision.hidden_size * num_layers * num_patches**2 * (3 if towers else 1)
    image += tokens_per_image * _per_token(_matrices(projector(model)), sends=towers)
    llm_learns = before_llm or Module.LLM in learns
    head_width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return ModelCost(
        per_token=_per_token([p for layer in language_layers(model) for p in _matrices(layer)], sends=llm_learns),
        per_pair=4.0 * text.num_attention_heads * head_width * text.num_hidden_layers * (3 if llm_learns else 1),
        per_label=_per_token([output_matrix(model)], sends=llm_learns),
        per_image=image,
    )


def peak_flops(device: torch.device, *, dtype: torch.dtype) -> float | None:
    """Return the peak of a CUDA device in bf16; None for others, which have no figure to hold a run against."""
    if device.type != "cuda" or dtype != torch.bfloat16:
        return None
    return find_peak(torch.cuda.get_device_name(device))


def find_peak(name: str) -> float | None:
    """Look a device name up in ``PEAK_FLOPS``."""
    return next((peak for part, peak in PEAK_FLOPS.items() if part in name), None)


def _matrices(module: nn.Module, wanted: Callable[[nn.Parameter], bool] = lambda _: True) -> list[nn.Parameter]:
    """Return what is multiplied: no biases, norms, tables of positions or single tokens."""
    tables = {id(p) for part in module.modules() if isinstance(part, nn.Embedding) for p in part.parameters()}
    return [p for p in module.parameters() if p.ndim > 1 and len(p) > 1 and id(p) not in tables and wanted(p)]


def _per_token(weights: Iterable[nn.Parameter], *, sends: bool) -> float:
    """Return FLOPs per token: forward, through (``sends``), and for what learns."""
    weights = list(weights)
    through = 2 if sends else 1
    return 2.0 * sum(w.numel() for w in weights) * through + 2.0 * sum(w.numel() for w in weights if w.requires_grad)
