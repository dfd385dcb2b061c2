"""The attention masks of packed samples: dense for any device, in blocks for flex attention, or just segment ids.

Position ids alone do not keep samples apart in ``LlavaForConditionalGeneration``; a boolean mask of four dimensions, or
a ``BlockMask``, is taken as it is. The block mask says the same and lets the kernel skip the blocks that no sample
sees: with S samples of equal length in a pack, all but about 1/S of the causal half.

Shapes: see ``train_bridge.model``.
"""

from collections.abc import Callable
from functools import cache
from typing import Literal, cast

import torch
from torch.nn.attention.flex_attention import BlockMask, create_block_mask

from train_bridge.model import segment_attention

BLOCK = 128
"""Tokens per side of a block of flex attention (PyTorch's default)."""
Attention = Literal["mask", "flex", "segments"]
IMPLEMENTATIONS = {"mask": "sdpa", "flex": "flex_attention", "segments": segment_attention.NAME}
"""What transformers calls the attention that takes each form."""


def resolve_attention(attention: str, *, device: torch.device) -> Attention:
    """Resolve ``run.attention``: flex attention where its kernels are, on CUDA; else segment by segment."""
    if attention == "auto":
        return "flex" if device.type == "cuda" else "segments"
    return cast("Attention", attention)


def packed_mask(segment_ids_bl: torch.Tensor, *, attention: Attention) -> torch.Tensor | BlockMask:
    """Return the mask of ``segment_ids_bl`` [B, L] in the form that the model's attention takes."""
    if attention == "segments":
        return segment_ids_bl[:, None, None]
    return block_mask(segment_ids_bl) if attention == "flex" else block_causal_mask(segment_ids_bl)


def block_causal_mask(segment_ids_bl: torch.Tensor) -> torch.Tensor:
    """Let each token see itself and earlier tokens of its own segment.

    Every row sees at least itself, so no softmax is empty.

    Args:
        segment_ids_bl: [B, L], a number per segment; padding is a segment too.

    Returns:
        Boolean [B, 1, L, L], true where row attends to column.
    """
    length = segment_ids_bl.shape[1]
    same_bll = segment_ids_bl[:, :, None] == segment_ids_bl[:, None, :]
    causal_ll = torch.ones(length, length, dtype=torch.bool, device=segment_ids_bl.device).tril()
    return (same_bll & causal_ll)[:, None]


def block_mask(segment_ids_bl: torch.Tensor) -> BlockMask:
    """Return ``block_causal_mask`` as flex attention takes it; the same for all heads."""

    def sees(pack: torch.Tensor, _head: torch.Tensor, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        return (segment_ids_bl[pack, query] == segment_ids_bl[pack, key]) & (query >= key)

    rows, length = segment_ids_bl.shape
    # Compiled it does not lay out what each query sees of each key: 1 GB of a pack of 32,768 tokens.
    create = _compiled_create() if segment_ids_bl.is_cuda else create_block_mask
    return create(sees, B=rows, H=None, Q_LEN=length, KV_LEN=length, device=segment_ids_bl.device.type)


@cache
def _compiled_create() -> Callable[..., BlockMask]:
    return torch.compile(create_block_mask)
