import pytest
import torch

from train_bridge.ranks import autocast, compute_dtype, gather, joined_ranks, share, sum_over_ranks

CPU = torch.device("cpu")


def test_one_process_is_a_group_of_one() -> None:
    for _ in range(2):  # a group can be joined again after it was left
        with joined_ranks() as ranks:
            assert (ranks.rank, ranks.world_size, ranks.is_first) == (0, 1, True)
            assert share("value") == "value"
            assert gather(3) == [3]
            assert sum_over_ranks(torch.tensor([2.0])).tolist() == [2.0]


@pytest.mark.parametrize(
    ("precision", "device", "dtype"),
    [
        ("auto", "cpu", torch.float32),
        ("auto", "cuda", torch.bfloat16),
        ("bf16", "cpu", torch.bfloat16),
        ("fp32", "cuda", torch.float32),
    ],
)
def test_precision(precision: str, device: str, dtype: torch.dtype) -> None:
    assert compute_dtype(precision, device=torch.device(device)) == dtype


def test_autocast_computes_in_bf16_where_asked() -> None:
    weights = torch.ones(2, 2)
    with joined_ranks() as ranks:
        with autocast(ranks=ranks, dtype=torch.bfloat16):
            assert (weights @ weights).dtype == torch.bfloat16
        with autocast(ranks=ranks, dtype=torch.float32):
            assert (weights @ weights).dtype == torch.float32
