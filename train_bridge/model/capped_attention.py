"""Attention whose scores are capped (Gemma 2, arXiv 2408.00118, section 2): ``cap * tanh(score / cap)``.

No kernel behind PyTorch's ``scaled_dot_product_attention`` does this, and transformers' own path without a kernel adds
masks, so that a boolean one would be taken for zeros and ones.

Shapes: see ``train_bridge.model``; Q queries and K keys.
"""

import torch
from torch import nn
from torch.nn import functional
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask
from transformers.modeling_utils import AttentionInterface

NAME = "capped"
"""Of this attention in transformers' registry."""


def register() -> None:
    """Make the attention, and its masks, known to transformers; more than once is fine."""
    AttentionInterface.register(NAME, capped_attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)


def capped_attention(  # noqa: PLR0913 - transformers' signature
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    dropout: float = 0.0,
    scaling: float | None = None,
    softcap: float | None = None,
    **_options: object,
) -> tuple[torch.Tensor, None]:
    """Attend with capped scores.

    Args:
        module: A layer's attention.
        query: [B, H, Q, D].
        key: [B, H or fewer, K, D].
        value: As ``key``.
        attention_mask: Boolean [B, 1, Q, K], true where a query sees a key; None sees all that is before.
        dropout: Share of attention weights that is dropped.
        scaling: Of scores; None is ``D ** -0.5``.
        softcap: Of scores; None does not cap.

    Returns:
        [B, Q, H, D], and no weights.
    """
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    scores_bhqk = query @ key.transpose(-1, -2) * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    if softcap is not None:
        scores_bhqk = softcap * torch.tanh(scores_bhqk / softcap)
    if attention_mask is None:
        num_queries, num_keys = scores_bhqk.shape[-2:]
        ones_qk = torch.ones(num_queries, num_keys, dtype=torch.bool, device=query.device)
        attention_mask = ones_qk.tril(num_keys - num_queries)
    scores_bhqk = scores_bhqk.masked_fill(~attention_mask, torch.finfo(scores_bhqk.dtype).min)
    weights_bhqk = functional.softmax(scores_bhqk, dim=-1, dtype=torch.float32).to(query.dtype)
    weights_bhqk = functional.dropout(weights_bhqk, p=dropout, training=module.training)
    return (weights_bhqk @ value).transpose(1, 2).contiguous(), None
