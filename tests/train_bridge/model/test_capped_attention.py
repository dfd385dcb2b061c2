import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from train_bridge.model.capped_attention import capped_attention

QUERY, KEY, VALUE = (torch.randn(2, heads, 5, 8, generator=torch.Generator().manual_seed(heads)) for heads in (4, 2, 2))


def layer() -> nn.Module:
    return nn.Module().eval()


@pytest.mark.parametrize("cap", [None, 1e6])
def test_without_a_cap_it_is_pytorchs(cap: float | None) -> None:
    wanted = scaled_dot_product_attention(QUERY, KEY, VALUE, is_causal=True, scale=0.3, enable_gqa=True)
    out, weights = capped_attention(layer(), QUERY, KEY, VALUE, None, scaling=0.3, softcap=cap)
    assert weights is None
    assert torch.allclose(out, wanted.transpose(1, 2), atol=1e-5)


def test_scores_are_capped() -> None:
    out = capped_attention(layer(), QUERY, KEY, VALUE, torch.ones(2, 1, 5, 5, dtype=torch.bool), softcap=0.5)[0]
    scores = QUERY[0, 3] @ KEY[0, 1].T / 8**0.5
    wanted = (0.5 * (scores / 0.5).tanh()).softmax(dim=-1) @ VALUE[0, 1]
    assert torch.allclose(out[0, :, 3], wanted, atol=1e-5)


def test_later_queries_see_all_keys_that_a_cache_holds() -> None:
    whole = capped_attention(layer(), QUERY, KEY, VALUE, None, softcap=1.0)[0]
    last = capped_attention(layer(), QUERY[:, :, 3:], KEY, VALUE, None, softcap=1.0)[0]
    assert torch.allclose(whole[:, 3:], last, atol=1e-6)
