import torch

from train_bridge.mask import block_causal_mask


def test_segments_see_themselves_backwards_only() -> None:
    mask = block_causal_mask(torch.tensor([[0, 0, 1, -1]], dtype=torch.int32))
    assert mask.shape == (1, 1, 4, 4)
    assert mask[0, 0].int().tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


def test_no_row_is_empty() -> None:
    mask = block_causal_mask(torch.tensor([[-1, -1, -1], [0, 1, -1]], dtype=torch.int32))
    assert bool(mask.any(dim=-1).all())
