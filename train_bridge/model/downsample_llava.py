"""LLaVA with VILA-1.5's projector: 2x2 neighbouring patches are joined, then a LayerNorm and two layers with GELU.

No class of plain transformers has this projector behind a CLIP or SigLIP tower (InternVL's and Aya Vision's fix the
tower or the activation). An exported folder therefore carries this file, and ``from_pretrained(folder,
trust_remote_code=True)`` runs it from there: it must import torch and transformers only.

Shapes: N images, P patches of a square grid of side R, Q = ceil(R / 2)**2 squares of patches, C channels, D width of
the language model.
"""

import math

import torch
from torch import nn
from torch.nn import functional
from transformers import LlavaConfig, LlavaForConditionalGeneration

FACTOR = 2
"""Patches per side that are joined into one token."""


class DownsampleLlavaConfig(LlavaConfig):  # type: ignore[misc]  # transformers has no types
    """Configuration of ``DownsampleLlava``; the fields are LLaVA's."""

    model_type = "llava_downsample"


class DownsampleProjector(nn.Module):
    """Patches to a quarter as many tokens of the language model."""

    def __init__(self, config: LlavaConfig) -> None:
        super().__init__()
        joined = config.vision_config.hidden_size * FACTOR**2
        self.layer_norm = nn.LayerNorm(joined)
        self.linear_1 = nn.Linear(joined, config.text_config.hidden_size)
        self.linear_2 = nn.Linear(config.text_config.hidden_size, config.text_config.hidden_size)

    def forward(self, patches_npc: torch.Tensor) -> torch.Tensor:
        """Return the images' tokens [N, Q, D] of their patches [N, P, C]."""
        hidden_nqd = self.linear_1(self.layer_norm(join_neighbours(patches_npc)))
        return torch.as_tensor(self.linear_2(functional.gelu(hidden_nqd)))


class DownsampleLlava(LlavaForConditionalGeneration):  # type: ignore[misc]  # transformers has no types
    """``LlavaForConditionalGeneration`` with another projector."""

    config_class = DownsampleLlavaConfig

    def __init__(self, config: LlavaConfig) -> None:
        super().__init__(config)
        self.model.multi_modal_projector = DownsampleProjector(config)


def join_neighbours(patches_npc: torch.Tensor) -> torch.Tensor:
    """Join 2x2 neighbours of a square grid; an odd one is padded with zeros at the right and the bottom, as VILA does.

    Returns:
        [N, Q, 4C]; the four are in reading order.
    """
    num_images, num_patches, channels = patches_npc.shape
    side = math.isqrt(num_patches)
    grid_nrrc = patches_npc.reshape(num_images, side, side, channels)
    missing = -side % FACTOR
    grid_nrrc = functional.pad(grid_nrrc, (0, 0, 0, missing, 0, missing))
    half = (side + missing) // FACTOR
    squares = grid_nrrc.reshape(num_images, half, FACTOR, half, FACTOR, channels).permute(0, 1, 3, 2, 4, 5)
    return squares.reshape(num_images, half * half, channels * FACTOR**2)
