"""LLaVA with the projectors of the VILA family: neighbouring patches are joined, then come norms and layers with GELU.

No class of plain transformers has these projectors behind a CLIP or SigLIP tower. An exported folder therefore carries
this file, and ``from_pretrained(folder, trust_remote_code=True)`` runs it from there: it must import torch and
transformers only, of version 4.57 or later. Names of layers and types are those of NVlabs/VILA
(``llava/model/multimodal_projector/base_projector.py``), so that its weights are taken as they are.

With ``s2_scales`` an image is several crops: squares of each scale, the last one cut as the image is shaped. What the
vision tower says of each scale is put together again, scaled to the last one's grid and joined (dynamic S2 of NVILA,
arXiv 2412.04468).

Shapes: N images or crops, P patches of a square grid of side R, F neighbours a side that are joined, Q = ceil(R / F)**2
squares, C channels, D width of the language model, S scales.
"""

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional
from transformers import AutoModel, LlavaConfig, LlavaForConditionalGeneration, LlavaModel

CHAINS = {
    "mlp_downsample": (2, ()),
    "mlp_downsample_2x2_fix": (2, ()),
    "mlp_downsample_3x3_fix": (3, (3.0,)),
    "mlp_downsample_3x3_s2": (3, (3.0, 1.0, 1 / 3)),
    "mlp_downsample_3x3_s2_new": (3, (4.0, 2.0, 1.0, 1 / 3)),
}
"""By type: how many neighbours a side are joined, and the widths between them and the language model, as shares of C.
Before each linear layer that narrows stands a norm; the last two layers have the language model's width."""


class VilaLlavaConfig(LlavaConfig):  # type: ignore[misc]  # transformers has no types
    """Configuration of ``VilaLlava``: LLaVA's fields and these."""

    model_type = "vila_llava"

    projector_type: str = "mlp_downsample"
    """A key of ``CHAINS``, ``linear``, or ``mlpNx_gelu``."""
    patch_order: str = "rows"
    """Of ``mlp_downsample``: ``rows`` reads the squares row by row; ``columns`` column by column, as VILA-1.5 did."""
    s2_scales: list[int] | None = None
    """px, the smallest that of the vision tower and the others its multiples; None: an image is one crop."""


class Downsample(nn.Module):
    """Squares of neighbouring patches side by side in the channels."""

    def __init__(self, factor: int, patch_order: str) -> None:
        super().__init__()
        self.factor, self.patch_order = factor, patch_order

    def forward(self, patches_npc: torch.Tensor) -> torch.Tensor:
        """Return the squares [N, Q, F * F * C] of patches [N, P, C]."""
        return join_neighbours(patches_npc, factor=self.factor, patch_order=self.patch_order)


class VilaProjector(nn.Module):
    """Patches to tokens of the language model."""

    def __init__(self, config: VilaLlavaConfig) -> None:
        super().__init__()
        scales = len(config.s2_scales or [None])
        width = config.vision_config.hidden_size * scales
        self.layers = projector_layers(
            config.projector_type,
            channels=width,
            hidden=config.text_config.hidden_size,
            patch_order=config.patch_order,
        )

    def forward(self, patches_npc: torch.Tensor) -> torch.Tensor:
        """Return the images' tokens [N, Q, D] of their patches [N, P, C]."""
        return torch.as_tensor(self.layers(patches_npc))


class VilaLlavaModel(LlavaModel):  # type: ignore[misc]
    """``LlavaModel`` with another projector, and with S2."""

    def __init__(self, config: VilaLlavaConfig) -> None:
        super(LlavaModel, self).__init__(config)  # its own would build a projector that is thrown away
        self.vision_tower = AutoModel.from_config(config.vision_config)
        self.multi_modal_projector = VilaProjector(config)
        self.language_model = AutoModel.from_config(config.text_config)
        self.post_init()

    def get_image_features(
        self, pixel_values: torch.Tensor, image_sizes: torch.Tensor | None = None, **kwargs: object
    ) -> object:
        """Return the tokens of images; with S2, ``image_sizes`` [N, 2] has the rows and columns of their last scale.

        Without ``image_sizes`` each of the ``pixel_values`` is an image of one crop, which stands for every scale.
        """
        if self.config.s2_scales is None:
            if image_sizes is not None:
                raise ValueError("a model without s2_scales takes no image_sizes")
            return super().get_image_features(pixel_values=pixel_values, **kwargs)
        states = self.vision_tower(pixel_values, output_hidden_states=True, return_dict=True).hidden_states
        patches_npc = states[self.config.vision_feature_layer]
        if self.config.vision_feature_select_strategy == "default":
            patches_npc = patches_npc[:, 1:]
        tokens = self._s2_tokens(patches_npc, image_sizes)
        if not kwargs.get("return_dict"):
            return tokens
        from transformers.modeling_outputs import BaseModelOutputWithPooling  # noqa: PLC0415 - of 5 alone

        return BaseModelOutputWithPooling(pooler_output=tokens)

    def _s2_tokens(self, patches_npc: torch.Tensor, grids_n2: torch.Tensor | None) -> list[torch.Tensor]:
        scales = [scale // self.config.s2_scales[0] for scale in self.config.s2_scales]
        if grids_n2 is None:
            grids, maps = [(1, 1)] * len(patches_npc), [merge_tiles(p[None], (1, 1)) for p in patches_npc]
            maps = [one_1rrc.repeat(1, 1, 1, len(scales)) for one_1rrc in maps]
        else:
            grids = [(int(rows), int(columns)) for rows, columns in grids_n2.tolist()]
            counts = [sum(s * s for s in scales[:-1]) + rows * columns for rows, columns in grids]
            parts = torch.split(patches_npc, counts)
            maps = [join_scales(part, grid, squares=scales[:-1]) for part, grid in zip(parts, grids, strict=True)]
        tiles_npc = torch.cat([split_tiles(one, grid) for one, grid in zip(maps, grids, strict=True)])
        tokens_nqd = self.multi_modal_projector(tiles_npc)
        per_image = torch.split(tokens_nqd, [rows * columns for rows, columns in grids])
        return [merge_tiles(part, grid).flatten(0, 2) for part, grid in zip(per_image, grids, strict=True)]


class VilaLlava(LlavaForConditionalGeneration):  # type: ignore[misc]
    """``LlavaForConditionalGeneration`` with a projector of the VILA family."""

    config_class = VilaLlavaConfig

    def __init__(self, config: VilaLlavaConfig) -> None:
        super(LlavaForConditionalGeneration, self).__init__(config)
        self.model = VilaLlavaModel(config)
        self.lm_head = nn.Linear(config.text_config.hidden_size, config.text_config.vocab_size, bias=False)
        self.post_init()


def projector_layers(kind: str, *, channels: int, hidden: int, patch_order: str = "rows") -> nn.Module:
    """Return the layers of a projector, whose names are those of NVlabs/VILA.

    Args:
        kind: See ``VilaLlavaConfig.projector_type``.
        channels: Of a patch, C (of all scales together).
        hidden: Width of the language model, D.
        patch_order: See ``VilaLlavaConfig``.

    Raises:
        ValueError: There is no such type.
    """
    if kind == "linear":
        return nn.Linear(channels, hidden)
    if kind.startswith("mlp") and kind.endswith("x_gelu") and kind[3:-6].isdigit():
        layers: list[nn.Module] = [nn.Linear(channels, hidden)]
        for _ in range(1, int(kind[3:-6])):
            layers += [nn.GELU(), nn.Linear(hidden, hidden)]
        return nn.Sequential(*layers)
    if kind not in CHAINS:
        raise ValueError(f"no projector is called {kind}; known are linear, mlp2x_gelu, {', '.join(CHAINS)}")
    factor, shares = CHAINS[kind]
    widths = [channels * factor**2, *(round(channels * share) if share >= 1 else channels // 3 for share in shares)]
    layers = [Downsample(factor, patch_order)]
    for width, narrower in zip(widths, [*widths[1:], hidden], strict=True):
        layers += [nn.LayerNorm(width), nn.Linear(width, narrower), nn.GELU()]
    return nn.Sequential(*layers, nn.Linear(hidden, hidden))


def join_neighbours(patches_npc: torch.Tensor, *, factor: int = 2, patch_order: str = "rows") -> torch.Tensor:
    """Join neighbours of a square grid; one that does not divide is padded with zeros at the right and the bottom.

    Args:
        patches_npc: [N, P, C]
        factor: F
        patch_order: Of the squares, ``rows`` or ``columns``; the patches of a square are always in reading order.

    Returns:
        [N, Q, F * F * C]
    """
    num_images, num_patches, channels = patches_npc.shape
    side = math.isqrt(num_patches)
    grid_nrrc = patches_npc.reshape(num_images, side, side, channels)
    missing = -side % factor
    grid_nrrc = functional.pad(grid_nrrc, (0, 0, 0, missing, 0, missing))
    fewer = (side + missing) // factor
    squares = grid_nrrc.reshape(num_images, fewer, factor, fewer, factor, channels).permute(0, 1, 3, 2, 4, 5)
    if patch_order == "columns":
        squares = squares.transpose(1, 2)
    return squares.reshape(num_images, fewer * fewer, channels * factor**2)


def join_scales(patches_npc: torch.Tensor, grid: tuple[int, int], *, squares: Sequence[int]) -> torch.Tensor:
    """Put the crops of each scale together, scale all to the last one's grid and join their channels.

    Args:
        patches_npc: [N, P, C], the crops of one image, scale after scale.
        grid: Rows and columns of the crops of the last scale.
        squares: Of each scale before it, crops a side.

    Returns:
        [1, rows * R, columns * R, S * C]
    """
    counts = [side * side for side in squares]
    *smaller, last = torch.split(patches_npc, [*counts, grid[0] * grid[1]])
    maps = [merge_tiles(part, (side, side)) for part, side in zip(smaller, squares, strict=True)]
    target = merge_tiles(last, grid)
    scaled = [
        functional.interpolate(one.permute(0, 3, 1, 2).float(), size=target.shape[1:3], mode="area").to(one.dtype)
        for one in (*maps, target)
    ]
    return torch.cat(scaled, dim=1).permute(0, 2, 3, 1)


def merge_tiles(tiles_npc: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """Return one map [1, rows * R, columns * R, C] of tiles [rows * columns, P, C] in reading order."""
    rows, columns = grid
    side, channels = math.isqrt(tiles_npc.shape[1]), tiles_npc.shape[2]
    tiles = tiles_npc.reshape(rows, columns, side, side, channels).transpose(1, 2)
    return tiles.reshape(1, rows * side, columns * side, channels)


def split_tiles(map_1hwc: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """Return the tiles [rows * columns, P, C] of one map, in reading order."""
    rows, columns = grid
    _, height, width, channels = map_1hwc.shape
    tiles = map_1hwc.reshape(rows, height // rows, columns, width // columns, channels).transpose(1, 2)
    return tiles.reshape(rows * columns, -1, channels)
