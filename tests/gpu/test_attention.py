from pathlib import Path

import torch

from train_bridge.bench.attention import compare_attentions
from train_bridge.bench.device import GPU, MAX_ERROR
from train_bridge.model.mask import BLOCK, block_causal_mask, block_mask
from train_bridge.training.ranks import joined_ranks


def test_flex_learns_what_segments_learn_as_exactly_as_bf16_can(documents: str, tmp_path: Path) -> None:
    with joined_ranks() as ranks:
        found = compare_attentions(documents, str(tmp_path), ranks=ranks, model=GPU.compared, seq_length=4096)
    for error in ("loss_error", "gradient_error"):
        assert found["flex"][error] < MAX_ERROR
        assert found["flex"][error] < 2 * found["segments"][error] + 1e-3


def test_a_compiled_block_mask_says_what_the_dense_one_does() -> None:
    torch.manual_seed(0)
    for length in (BLOCK, 5 * BLOCK, 9 * BLOCK):
        ids_bl = torch.randint(0, 2, (2, length), device="cuda").cumsum(dim=1) // 97
        found = block_mask(ids_bl)
        starts = torch.arange(0, length, BLOCK)
        dense_bll = block_causal_mask(ids_bl)[:, 0].cpu()
        blocks_bmm = torch.stack(
            [torch.stack([dense_bll[:, i : i + BLOCK, j : j + BLOCK].any((1, 2)) for j in starts], 1) for i in starts],
            1,
        )
        assert torch.equal(found.to_dense()[:, 0].bool().cpu(), blocks_bmm)
