import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from train_bridge.model.capped_attention import capped_attention
from train_bridge.model.mask import block_causal_mask, packed_mask
from train_bridge.model.segment_attention import segment_attention
from train_bridge.model.windows import Window


@pytest.mark.parametrize("num_key_heads", [4, 2])
def test_it_is_attention_through_the_dense_mask(num_key_heads: int) -> None:
    torch.manual_seed(0)
    segments = torch.tensor([[0] * 5 + [1] * 9 + [-1] * 2, [0] * 16], dtype=torch.int32)
    query = torch.randn(2, 4, 16, 8, requires_grad=True)
    key, value = (torch.randn(2, num_key_heads, 16, 8, requires_grad=True) for _ in range(2))
    layer = nn.Module()
    layer.num_key_value_groups = 4 // num_key_heads  # type: ignore[assignment]  # what sdpa reads
    out, weights = segment_attention(layer, query, key, value, segments[:, None, None], scaling=0.3)
    mask = block_causal_mask(segments)
    wanted = scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=0.3, enable_gqa=num_key_heads < 4)
    assert weights is None
    assert torch.allclose(out, wanted.transpose(1, 2), atol=1e-6)
    found = torch.autograd.grad(out.square().sum(), (query, key, value))
    dense = torch.autograd.grad(wanted.square().sum(), (query, key, value))
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(found, dense, strict=True))


@pytest.mark.parametrize("softcap", [None, 0.5])
@pytest.mark.parametrize("window", [Window(size=4), Window(size=4, is_chunk=True)])
def test_windows_and_caps_are_those_of_the_dense_mask(window: Window, softcap: float | None) -> None:
    torch.manual_seed(0)
    segments = torch.tensor([[0] * 5 + [1] * 9 + [-1] * 2, [0] * 16], dtype=torch.int32)
    query, key, value = torch.randn(3, 2, 4, 16, 8)
    layer = nn.Module().eval()
    mask = packed_mask(segments, attention="segments", windows=window)
    assert isinstance(mask, torch.Tensor)
    out, _ = segment_attention(layer, query, key, value, mask, softcap=softcap)
    dense = block_causal_mask(segments, window=window)
    wanted, _ = capped_attention(layer, query, key, value, dense, softcap=softcap)
    assert torch.allclose(out, wanted, atol=1e-5)
