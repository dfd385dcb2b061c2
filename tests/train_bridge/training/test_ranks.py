import pytest
import torch
from torch import distributed

from curate.contract.errors import CurateError, RecipeError
from train_bridge.training.ranks import (
    autocast,
    compute_dtype,
    failing_together,
    gather,
    is_peer_loss,
    joined_ranks,
    share,
    sum_over_ranks,
)

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


def test_a_failure_is_everybodys_and_an_os_error_is_one_of_ours() -> None:
    with joined_ranks():
        with failing_together():
            pass
        with pytest.raises(RecipeError, match="once"), failing_together():
            raise RecipeError(("once",))
        with pytest.raises(CurateError, match="no such weights"), failing_together():
            raise FileNotFoundError("no such\nweights")


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (RuntimeError("[../gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:4242"), True),
        (distributed.DistNetworkError("timed out"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
    ],
)
def test_a_lost_peer_is_told_from_other_errors(error: RuntimeError, *, lost: bool) -> None:
    assert is_peer_loss(error) is lost
