import pytest
import torch
from torch.nn.attention.flex_attention import BlockMask, create_mask
from torch.nn.functional import scaled_dot_product_attention

from train_bridge.model.mask import (
    BLOCK,
    block_causal_mask,
    block_mask,
    first_seen,
    implementation,
    packed_mask,
    resolve_attention,
)
from train_bridge.model.windows import Window

SEGMENTS = torch.tensor([[0, 0, 1, 1, -1]], dtype=torch.int32)


def test_tokens_see_the_earlier_ones_of_their_segment() -> None:
    wanted = [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]]
    assert block_causal_mask(SEGMENTS)[0, 0].int().tolist() == wanted


def test_rows_have_masks_of_their_own() -> None:
    masks = block_causal_mask(torch.tensor([[0, 0], [0, 1]]))
    assert masks.shape == (2, 1, 2, 2)
    assert masks[:, 0, 1, 0].tolist() == [True, False]


@pytest.mark.parametrize("length", [1, 5, BLOCK, 2 * BLOCK + 17])
def test_the_block_mask_is_the_dense_one(length: int) -> None:
    torch.manual_seed(length)
    segments = torch.randint(0, 3, (2, length)).sort(dim=1).values.int()
    blocks = block_mask(segments)
    dense = create_mask(blocks.mask_mod, 2, 1, length, length, device="cpu")
    assert torch.equal(dense, block_causal_mask(segments))


def test_the_block_mask_skips_blocks_that_no_sample_sees() -> None:
    segments = torch.arange(4).repeat_interleave(BLOCK)[None].int()
    computed = block_mask(segments).to_dense()[0, 0]
    assert computed.tolist() == torch.eye(4).tolist()


def test_attention_through_blocks_is_attention_through_the_mask() -> None:
    torch.manual_seed(0)
    segments = torch.tensor([[0] * 40 + [1] * 90 + [-1] * 10]).int()
    query, key, value = torch.randn(3, 1, 2, 140, 16)
    dense = scaled_dot_product_attention(query, key, value, attn_mask=block_causal_mask(segments))
    scores = query @ key.transpose(-1, -2) / 4 + torch.where(
        create_mask(block_mask(segments).mask_mod, 1, 1, 140, 140, device="cpu"), 0.0, -torch.inf
    )
    assert torch.allclose(scores.softmax(dim=-1) @ value, dense, atol=1e-6)


@pytest.mark.parametrize(
    ("attention", "device", "wanted"),
    [("auto", "cpu", "segments"), ("auto", "cuda", "flex"), ("mask", "cuda", "mask"), ("flex", "cpu", "flex")],
)
def test_attention_is_resolved_by_device(attention: str, device: str, wanted: str) -> None:
    assert resolve_attention(attention, device=torch.device(device)) == wanted


@pytest.mark.parametrize(
    ("window", "first"),
    [
        (None, [0, 0, 0, 0, 4, 4, 4, 7]),
        (Window(size=2), [0, 0, 1, 2, 4, 4, 5, 7]),
        (Window(size=3, is_chunk=True), [0, 0, 0, 3, 4, 4, 4, 7]),
    ],
)
def test_windows_are_those_of_each_sample(window: Window | None, first: list[int]) -> None:
    segments = torch.tensor([[0, 0, 0, 0, 1, 1, 1, -1]])
    assert first_seen(segments, window=window).tolist() == [first]
    seen = block_causal_mask(segments, window=window)[0, 0]
    assert seen.int().argmax(dim=1).tolist() == first
    assert seen.sum(dim=1).tolist() == [place - begin + 1 for place, begin in enumerate(first)]


@pytest.mark.parametrize("window", [Window(size=5), Window(size=5, is_chunk=True)])
def test_the_block_mask_has_the_windows_of_the_dense_one(window: Window) -> None:
    segments = torch.tensor([[0] * 70 + [1] * 90, [0] * 160]).int()
    blocks = block_mask(segments, window=window)
    dense = create_mask(blocks.mask_mod, 2, 1, 160, 160, device="cpu")
    assert torch.equal(dense, block_causal_mask(segments, window=window))


def test_masks_come_in_the_form_that_is_asked_for() -> None:
    assert torch.equal(tensor_of(packed_mask(SEGMENTS, attention="mask")), block_causal_mask(SEGMENTS))
    flex = packed_mask(SEGMENTS, attention="flex")
    assert isinstance(flex, BlockMask)
    assert flex.shape == (1, 1, 5, 5)
    assert tensor_of(packed_mask(SEGMENTS, attention="segments")).shape == (1, 1, 1, 5)


def test_layers_of_different_types_have_masks_of_their_own() -> None:
    masks = packed_mask(SEGMENTS, attention="mask", windows={"full": None, "short": Window(size=1)})
    assert isinstance(masks, dict)
    assert torch.equal(tensor_of(masks["full"]), block_causal_mask(SEGMENTS))
    assert torch.equal(tensor_of(masks["short"])[0, 0], torch.eye(5, dtype=torch.bool))


def test_a_window_that_no_pack_exceeds_costs_nothing() -> None:
    assert tensor_of(packed_mask(SEGMENTS, attention="segments", windows=Window(size=5))).shape == (1, 1, 1, 5)
    short = tensor_of(packed_mask(SEGMENTS, attention="segments", windows=Window(size=1)))
    assert short[:, 0].tolist() == [[SEGMENTS[0].tolist(), [0, 1, 2, 3, 4]]]


def tensor_of(mask: object) -> torch.Tensor:
    assert isinstance(mask, torch.Tensor)
    return mask


def test_scores_that_are_capped_need_another_kernel_behind_the_mask() -> None:
    assert implementation("mask", caps_scores=True) == "capped"
    assert implementation("mask", caps_scores=False) == "sdpa"
    assert implementation("segments", caps_scores=True) == "segments"
    assert implementation("flex", caps_scores=True) == "flex_attention"
