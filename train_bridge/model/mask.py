"""The attention masks of packed samples: dense for any device, in blocks for flex attention, or just segment ids.

Position ids alone do not keep samples apart in ``LlavaForConditionalGeneration``; a boolean mask of four dimensions, or
a ``BlockMask``, is taken as it is. The block mask says the same and lets the kernel skip the blocks that no sample
sees: with S samples of equal length in a pack, all but about 1/S of the causal half.

Shapes: B packs, L tokens.
"""

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


def packed_mask(segment_ids: torch.Tensor, *, attention: Attention) -> torch.Tensor | BlockMask:
    """Return the mask of ``segment_ids`` [B, L] in the form that the model's attention takes."""
    if attention == "segments":
        return segment_ids[:, None, None]
    return block_mask(segment_ids) if attention == "flex" else block_causal_mask(segment_ids)


def block_causal_mask(segment_ids: torch.Tensor) -> torch.Tensor:
    """Let each token see itself and earlier tokens of its own segment.

    Every row sees at least itself, so no softmax is empty.

    Args:
        segment_ids: [B, L], a number per segment; padding is a segment too.

    Returns:
        Boolean [B, 1, L, L], true where row attends to column.
    """
    length = segment_ids.shape[1]
    same = segment_ids[:, :, None] == segment_ids[:, None, :]
    causal = torch.ones(length, length, dtype=torch.bool, device=segment_ids.device).tril()
    return (same & causal)[:, None]


def block_mask(segment_ids: torch.Tensor) -> BlockMask:
    """Return ``block_causal_mask`` as flex attention takes it; the same for all heads."""

    def sees(pack: torch.Tensor, _head: torch.Tensor, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        return (segment_ids[pack, query] == segment_ids[pack, key]) & (query >= key)

    rows, length = segment_ids.shape
    return create_block_mask(sees, B=rows, H=None, Q_LEN=length, KV_LEN=length, device=segment_ids.device.type)
