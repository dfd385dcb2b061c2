"""Attention over packs, one segment at a time: where no kernel skips what a mask hides, nothing hidden is computed.

A pack of S samples of equal length costs 1/S of what its dense mask does, in time and in memory. transformers hands
on any "mask" of four dimensions as it is, so segment ids are given as one.

Shapes: see ``train_bridge.model``; T tokens of one segment.
"""

import torch
from torch import nn
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import AttentionInterface

NAME = "segments"
"""Of this attention in transformers' registry."""


def register() -> None:
    """Make the attention known to transformers; more than once is fine."""
    AttentionInterface.register(NAME, segment_attention)


def segment_attention(  # noqa: PLR0913 - transformers' signature
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor,
    *,
    dropout: float = 0.0,
    scaling: float | None = None,
    **options: object,
) -> tuple[torch.Tensor, None]:
    """Let each token see itself and earlier tokens of its own segment.

    Args:
        module: A layer's attention.
        query: [B, H, L, D].
        key: [B, H or fewer, L, D].
        value: As ``key``.
        attention_mask: Segment ids, integers [B, 1, 1, L]; those of a segment are next to each other.
        dropout: Share of attention weights that is dropped.
        scaling: Of scores; None is ``D ** -0.5``.
        options: Of transformers.

    Returns:
        [B, L, H, D], and no weights.
    """
    options.pop("is_causal", None)
    rows_1lhd = []
    for row, ids_l in enumerate(attention_mask[:, 0, 0]):
        lengths = torch.unique_consecutive(ids_l, return_counts=True)[1].tolist()
        parts_1htd = (torch.split(tensor[row : row + 1], lengths, dim=2) for tensor in (query, key, value))
        outputs_1thd = [
            sdpa_attention_forward(
                module, *part_1htd, attention_mask=None, dropout=dropout, scaling=scaling, is_causal=True, **options
            )[0]
            for part_1htd in zip(*parts_1htd, strict=True)
        ]
        rows_1lhd.append(torch.cat(outputs_1thd, dim=1))
    return torch.cat(rows_1lhd), None
