"""Attention over packs, one segment at a time: where no kernel skips what a mask hides, nothing hidden is computed.

A pack of S samples of equal length costs 1/S of what its dense mask does, in time and in memory. transformers hands
on any "mask" of four dimensions as it is, so segment ids are given as one.

Shapes: see ``train_bridge.model``; T tokens of one segment.
"""

import torch
from torch import nn
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import AttentionInterface

from train_bridge.model.capped_attention import capped_attention

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
    softcap: float | None = None,
    **options: object,
) -> tuple[torch.Tensor, None]:
    """Let each token see itself and earlier tokens of its own segment.

    Args:
        module: A layer's attention.
        query: [B, H, L, D].
        key: [B, H or fewer, L, D].
        value: As ``key``.
        attention_mask: Segment ids, integers [B, 1, 1, L]; those of a segment are next to each other. Where the layer
            has a window, [B, 1, 2, L]: behind them the first place that each place sees.
        dropout: Share of attention weights that is dropped.
        scaling: Of scores; None is ``D ** -0.5``.
        softcap: Of scores; None does not cap.
        options: Of transformers.

    Returns:
        [B, L, H, D], and no weights.
    """
    options.pop("is_causal", None)

    def attend(part_1htd: tuple[torch.Tensor, ...], mask_11tt: torch.Tensor | None) -> torch.Tensor:
        own, other, content = part_1htd
        if softcap is not None:
            return capped_attention(
                module, own, other, content, mask_11tt, dropout=dropout, scaling=scaling, softcap=softcap
            )[0]
        out = sdpa_attention_forward(
            module, own, other, content, mask_11tt, dropout=dropout, scaling=scaling, is_causal=True, **options
        )
        return torch.as_tensor(out[0])

    rows_1lhd = []
    for row, ids_l in enumerate(attention_mask[:, 0, 0]):
        lengths = torch.unique_consecutive(ids_l, return_counts=True)[1].tolist()
        parts_1htd = [torch.split(tensor[row : row + 1], lengths, dim=2) for tensor in (query, key, value)]
        masks_11tt = _window_masks(attention_mask[row, 0, 1:], lengths)
        outputs_1thd = map(attend, zip(*parts_1htd, strict=True), masks_11tt)
        rows_1lhd.append(torch.cat(list(outputs_1thd), dim=1))
    return torch.cat(rows_1lhd), None


def _window_masks(first_xl: torch.Tensor, lengths: list[int]) -> list[torch.Tensor | None]:
    """Return the mask [1, 1, T, T] of each segment that is longer than a window; None sees all that is before."""
    if not len(first_xl):
        return [None] * len(lengths)
    masks: list[torch.Tensor | None] = []
    start = 0
    for first_t in torch.split(first_xl[0], lengths):
        places_t = torch.arange(start, start + len(first_t), device=first_t.device)
        sees_tt = (places_t >= first_t[:, None]) & (places_t[:, None] >= places_t)
        masks.append(sees_tt[None, None] if first_t[-1] > start else None)
        start += len(first_t)
    return masks
