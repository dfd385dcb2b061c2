"""A tiny random vision tower of each family, with the image processor of its folder."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from transformers import (
    BaseImageProcessor,
    BitImageProcessor,
    CLIPImageProcessor,
    CLIPVisionConfig,
    Dinov2Config,
    Dinov2WithRegistersConfig,
    PixtralVisionConfig,
    PreTrainedConfig,
    Siglip2VisionConfig,
    SiglipImageProcessor,
    SiglipVisionConfig,
    ViTConfig,
)
from transformers.models.internvl.configuration_internvl import InternVLVisionConfig

IMAGE, PATCH = 24, 8
"""Pixels per side: 3 x 3 patches."""
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": IMAGE,
    "patch_size": PATCH,
}
SQUARE = {"height": IMAGE, "width": IMAGE}


@dataclass(frozen=True, kw_only=True, slots=True)
class Vision:
    """A row of the table."""

    name: str
    mark: str
    """What sets the family apart."""
    build: Callable[..., PreTrainedConfig]
    options: dict[str, Any]
    image_processor: BaseImageProcessor

    def config(self) -> PreTrainedConfig:
        """Return the configuration of a tiny tower."""
        return self.build(**SIZES | self.options)


def towers() -> tuple[Vision, ...]:
    """Return the rows."""
    cut = CLIPImageProcessor(size={"shortest_edge": IMAGE}, crop_size=SQUARE)
    square = SiglipImageProcessor(size=SQUARE)
    other = {"height": 32, "width": 32}
    large = BitImageProcessor(size={"shortest_edge": 36}, crop_size=other)

    def row(
        name: str, mark: str, build: Callable[..., PreTrainedConfig], form: BaseImageProcessor, **options: object
    ) -> Vision:
        return Vision(name=name, mark=mark, build=build, options=options, image_processor=form)

    return (
        row("CLIP", "class token", CLIPVisionConfig, cut),
        row("SigLIP, SigLIP 2 of a fixed resolution", "", SiglipVisionConfig, square),
        row("DINOv2", "class token; positions interpolated", Dinov2Config, large, mlp_ratio=2),
        row("DINOv2 with registers", "class token, 4 registers", Dinov2WithRegistersConfig, large, mlp_ratio=2),
        row("InternViT (internvl_vision)", "class token", InternVLVisionConfig, square, norm_type="rms_norm"),
        row("SigLIP 2 NaFlex", "any aspect", Siglip2VisionConfig, square, num_patches=9),
        row("Pixtral", "any size", PixtralVisionConfig, square, head_dim=16),
        row("ViT", "class token", ViTConfig, square),
    )
