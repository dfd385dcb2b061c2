"""The attention mask of packed samples."""

import torch


def block_causal_mask(segment_ids: torch.Tensor) -> torch.Tensor:
    """Let each token see itself and earlier tokens of its own segment.

    Position ids alone do not keep samples apart in ``LlavaForConditionalGeneration``; a boolean mask of four
    dimensions is taken as it is. Every row sees at least itself, so no softmax is empty.

    Args:
        segment_ids: [B, L], a number per segment; padding is a segment too.

    Returns:
        Boolean [B, 1, L, L], true where row attends to column.
    """
    length = segment_ids.shape[1]
    same = segment_ids[:, :, None] == segment_ids[:, None, :]
    causal = torch.ones(length, length, dtype=torch.bool, device=segment_ids.device).tril()
    return (same & causal)[:, None]
