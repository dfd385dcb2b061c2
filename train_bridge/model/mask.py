"""The attention masks of packed samples: dense for any device, in blocks for flex attention, or just segment ids.

Position ids alone do not keep samples apart in ``LlavaForConditionalGeneration``; a boolean mask of four dimensions, or
a ``BlockMask``, is taken as it is. The block mask says the same and lets the kernel skip the blocks that no sample
sees: with S samples of equal length in a pack, all but about 1/S of the causal half.

All three forms say one thing: a place sees those from its first one (``first_seen``) to itself. That is where its
sample begins, or later where a layer has a window.

Shapes: see ``train_bridge.model``.
"""

from collections.abc import Callable
from functools import cache
from typing import Literal, cast

import torch
from torch.nn.attention.flex_attention import BlockMask, create_block_mask

from train_bridge.model import capped_attention, segment_attention
from train_bridge.model.windows import Window, Windows

BLOCK = 128
"""Tokens per side of a block of flex attention (PyTorch's default)."""
Attention = Literal["mask", "flex", "segments"]
IMPLEMENTATIONS = {"mask": "sdpa", "flex": "flex_attention", "segments": segment_attention.NAME}
"""What transformers calls the attention that takes each form."""
Mask = torch.Tensor | BlockMask


def resolve_attention(attention: str, *, device: torch.device) -> Attention:
    """Resolve ``run.attention``: flex attention where its kernels are, on CUDA; else segment by segment."""
    if attention == "auto":
        return "flex" if device.type == "cuda" else "segments"
    return cast("Attention", attention)


def implementation(attention: Attention, *, caps_scores: bool) -> str:
    """Return the name of the attention that takes a form.

    Args:
        attention: The form.
        caps_scores: Whether the language model caps its scores, which PyTorch's kernel behind ``mask`` does not do.
    """
    return capped_attention.NAME if caps_scores and attention == "mask" else IMPLEMENTATIONS[attention]


def packed_mask(
    segment_ids_bl: torch.Tensor, *, attention: Attention, windows: Window | Windows | None = None
) -> Mask | dict[str, Mask]:
    """Return the mask of packs in the form that the model's attention takes.

    Args:
        segment_ids_bl: [B, L], a number per segment; those of a segment are next to each other; padding is one too.
        attention: The form.
        windows: Of the layers; a dictionary gives a mask for each type of layer.
    """
    if isinstance(windows, dict):
        return {name: _one_mask(segment_ids_bl, attention, window) for name, window in windows.items()}
    return _one_mask(segment_ids_bl, attention, windows)


def block_causal_mask(segment_ids_bl: torch.Tensor, *, window: Window | None = None) -> torch.Tensor:
    """Let each token see itself and earlier tokens of its own segment, as far as the window reaches.

    Every row sees at least itself, so no softmax is empty.

    Args:
        segment_ids_bl: See ``packed_mask``.
        window: Of the layer.

    Returns:
        Boolean [B, 1, L, L], true where row attends to column.
    """
    places_l = torch.arange(segment_ids_bl.shape[1], device=segment_ids_bl.device)
    behind_ll = places_l[:, None] >= places_l
    return (behind_ll & (places_l >= first_seen(segment_ids_bl, window=window)[:, :, None]))[:, None]


def block_mask(segment_ids_bl: torch.Tensor, *, window: Window | None = None) -> BlockMask:
    """Return ``block_causal_mask`` as flex attention takes it; the same for all heads."""
    first_bl = first_seen(segment_ids_bl, window=window)

    def sees(pack: torch.Tensor, _head: torch.Tensor, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        return (key >= first_bl[pack, query]) & (query >= key)

    rows, length = segment_ids_bl.shape
    # Compiled it does not lay out what each query sees of each key: 1 GB of a pack of 32,768 tokens.
    create = _compiled_create() if segment_ids_bl.is_cuda else create_block_mask
    return create(sees, B=rows, H=None, Q_LEN=length, KV_LEN=length, device=segment_ids_bl.device.type)


@cache
def _compiled_create() -> Callable[..., BlockMask]:
    return torch.compile(create_block_mask)


def first_seen(segment_ids_bl: torch.Tensor, *, window: Window | None = None) -> torch.Tensor:
    """Return the first place [B, L] that each place sees: where its segment begins, or its window."""
    places_l = torch.arange(segment_ids_bl.shape[1], device=segment_ids_bl.device)
    begins_bl = torch.ones_like(segment_ids_bl, dtype=torch.bool)
    begins_bl[:, 1:] = segment_ids_bl[:, 1:] != segment_ids_bl[:, :-1]
    start_bl = torch.where(begins_bl, places_l, 0).cummax(dim=1).values
    if window is None:
        return start_bl
    if window.is_chunk:
        return places_l - (places_l - start_bl) % window.size
    return torch.maximum(start_bl, places_l - window.size + 1)


def _one_mask(segment_ids_bl: torch.Tensor, attention: Attention, window: Window | None) -> Mask:
    if window is not None and window.size >= segment_ids_bl.shape[1]:
        window = None
    if attention == "segments":
        ids_bl = segment_ids_bl
        if window is None:
            return ids_bl[:, None, None]
        return torch.stack([ids_bl.long(), first_seen(ids_bl, window=window)], dim=1)[:, None]
    form = block_mask if attention == "flex" else block_causal_mask
    return form(segment_ids_bl, window=window)
