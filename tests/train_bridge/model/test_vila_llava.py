"""Golden tests: the published arithmetic of NVlabs/VILA is stated again here, independently of our code."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from transformers import CLIPVisionConfig, LlamaConfig, SiglipVisionConfig

from train_bridge.model.vila_llava import (
    CHAINS,
    VilaLlava,
    VilaLlavaConfig,
    VilaProjector,
    join_neighbours,
    join_scales,
    merge_tiles,
    projector_layers,
    split_tiles,
)

SIZES = {"intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
IMAGE = 60


def small_config(**changes: Any) -> VilaLlavaConfig:
    vision = SiglipVisionConfig(hidden_size=48, image_size=28, patch_size=7, **SIZES)
    text = LlamaConfig(hidden_size=32, vocab_size=64, **SIZES)
    return VilaLlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=IMAGE,
        vision_feature_select_strategy="full",
        **changes,
    )


def flat_square_1_5(x: torch.Tensor) -> torch.Tensor:
    """As VILA-1.5: joins neighbours of the second axis, swaps, joins those of the first, and does not swap back."""
    images, first, second, channels = x.shape
    if first % 2:
        x, first = torch.cat([x, torch.zeros(images, 1, second, channels)], dim=1), first + 1
    if second % 2:
        x, second = torch.cat([x, torch.zeros(images, first, 1, channels)], dim=2), second + 1
    x = x.reshape(images, first, second // 2, channels * 2).permute(0, 2, 1, 3)
    return x.reshape(images, second // 2, first // 2, channels * 4)


def flat_square(x: torch.Tensor, *, factor: int) -> torch.Tensor:
    """As NVILA, for 2 and 3: every square is gathered patch by patch."""
    images, side, _, channels = x.shape
    whole = side + (-side % factor)
    padded = torch.zeros(images, whole, whole, channels)
    padded[:, :side, :side] = x
    fewer = whole // factor
    joined = torch.zeros(images, fewer, fewer, channels * factor**2)
    for row in range(fewer):
        for column in range(fewer):
            square = padded[:, row * factor : (row + 1) * factor, column * factor : (column + 1) * factor]
            joined[:, row, column] = square.reshape(images, -1)
    return joined


@pytest.mark.parametrize("side", [4, 5, 27])
def test_both_orders_of_tokens_are_the_published_ones(side: int) -> None:
    patches = torch.randn(2, side * side, 3)
    grid = patches.reshape(2, side, side, 3)
    rows = join_neighbours(patches, patch_order="rows")
    columns = join_neighbours(patches, patch_order="columns")
    assert torch.equal(rows, flat_square(grid, factor=2).flatten(1, 2))
    assert torch.equal(columns, flat_square_1_5(grid).flatten(1, 2))
    assert not torch.equal(rows, columns)


def test_the_trap_on_a_grid_of_numbers() -> None:
    numbers = torch.arange(16.0).view(1, 16, 1)
    rows, columns = (join_neighbours(numbers, patch_order=order)[0].tolist() for order in ("rows", "columns"))
    assert rows == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    assert columns == [[0, 1, 4, 5], [8, 9, 12, 13], [2, 3, 6, 7], [10, 11, 14, 15]]


@pytest.mark.parametrize("side", [6, 7, 8])
def test_three_by_three_is_padded_to_whole_squares(side: int) -> None:
    patches = torch.randn(1, side * side, 2)
    expected = flat_square(patches.reshape(1, side, side, 2), factor=3).flatten(1, 2)
    assert torch.equal(join_neighbours(patches, factor=3), expected)


def published_layers(kind: str, h: int, d: int) -> list[tuple[int, nn.Module]]:
    """Layers with weights of each type and their places, as the published table has them."""
    norm, line = nn.LayerNorm, nn.Linear
    match kind:
        case "mlp_downsample" | "mlp_downsample_2x2_fix":
            return [(1, norm(4 * h)), (2, line(4 * h, d)), (4, line(d, d))]
        case "mlp_downsample_3x3_fix":
            return [(1, norm(9 * h)), (2, line(9 * h, 3 * h)), (4, norm(3 * h)), (5, line(3 * h, d)), (7, line(d, d))]
        case "mlp_downsample_3x3_s2":
            chain = [9 * h, 3 * h, h, h // 3, d]
        case _:
            chain = [9 * h, 4 * h, 2 * h, h, h // 3, d]
    layers: list[tuple[int, nn.Module]] = []
    for number, (wide, narrow) in enumerate(pairwise(chain)):
        layers += [(1 + 3 * number, norm(wide)), (2 + 3 * number, line(wide, narrow))]
    return [*layers, (layers[-1][0] + 2, line(d, d))]


@pytest.mark.parametrize("kind", CHAINS)
@pytest.mark.parametrize("order", ["rows", "columns"])
def test_each_projector_computes_what_was_published(kind: str, order: str) -> None:
    torch.manual_seed(0)
    published = published_layers(kind, 12, 16)
    ours = projector_layers(kind, channels=12, hidden=16, patch_order=order)
    assert {name for name, _ in ours.named_parameters()} == {
        f"{i}.{n}" for i, m in published for n in ("weight", "bias")
    }
    for place, layer in published:
        ours.get_submodule(str(place)).load_state_dict(layer.state_dict())
    patches = torch.randn(2, 49, 12)
    factor = 3 if "3x3" in kind else 2
    grid = patches.reshape(2, 7, 7, 12)
    x = flat_square(grid, factor=factor)
    x = x.transpose(1, 2) if order == "columns" else x
    x = x.flatten(1, 2)
    places = [place for place, _ in published]
    for place, layer in published:
        x = layer(x)
        if isinstance(layer, nn.Linear) and place != places[-1]:
            x = functional.gelu(x)
    assert torch.allclose(ours(patches), x, atol=1e-6)


def test_plain_projectors_have_their_names_too() -> None:
    assert sorted(dict(projector_layers("linear", channels=3, hidden=4).named_parameters())) == ["bias", "weight"]
    three = projector_layers("mlp3x_gelu", channels=3, hidden=4)
    assert [name for name, _ in three.named_parameters() if "weight" in name] == ["0.weight", "2.weight", "4.weight"]
    with pytest.raises(ValueError, match="no projector is called mlp_up"):
        projector_layers("mlp_up", channels=3, hidden=4)


def test_channels_and_images_stay_apart() -> None:
    patches = torch.randn(2, 4, 3)
    assert torch.equal(join_neighbours(patches), patches.reshape(2, 1, 12))


def test_the_norm_comes_first() -> None:
    vision, text = CLIPVisionConfig(hidden_size=3, num_attention_heads=1), LlamaConfig(hidden_size=32)
    projector = VilaProjector(VilaLlavaConfig(vision_config=vision, text_config=text))
    scaled = torch.randn(1, 4, 3)
    assert torch.allclose(projector(scaled), projector(100 * scaled), atol=1e-3)


def test_tiles_are_cut_and_put_together_in_reading_order() -> None:
    tiles = torch.randn(6, 4, 5)
    whole = merge_tiles(tiles, (2, 3))
    assert whole.shape == (1, 4, 6, 5)
    assert torch.equal(whole[0, :2, 2:4].reshape(4, 5), tiles[1])
    assert torch.equal(whole[0, 2:, :2].reshape(4, 5), tiles[3])
    assert torch.equal(split_tiles(whole, (2, 3)), tiles)


def s2_reference(model: VilaLlava, crops: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """Dynamic S2 of one image by NVILA's words: merge each scale, scale by areas, join, cut, project, merge."""
    vision, side = model.model.vision_tower, 4
    states = vision(crops, output_hidden_states=True).hidden_states[-2]
    rows, columns = grid
    maps, start = [], 0
    for height, width in ((1, 1), (2, 2), (rows, columns)):
        merged = torch.zeros(1, 48, height * side, width * side)
        for i in range(height):
            for j in range(width):
                tile = states[start].T.reshape(48, side, side)
                merged[0, :, i * side : (i + 1) * side, j * side : (j + 1) * side] = tile
                start += 1
        maps.append(functional.interpolate(merged, size=(rows * side, columns * side), mode="area"))
    joined = torch.cat(maps, dim=1)
    half = side // 2
    out = torch.zeros(rows * half, columns * half, 32)
    for i in range(rows):
        for j in range(columns):
            tile = joined[:, :, i * side : (i + 1) * side, j * side : (j + 1) * side]
            tokens = model.model.multi_modal_projector(tile.flatten(2).transpose(1, 2))
            out[i * half : (i + 1) * half, j * half : (j + 1) * half] = tokens[0].reshape(half, half, 32)
    return out.flatten(0, 1)


@torch.no_grad()
def test_dynamic_s2_is_the_published_arithmetic() -> None:
    torch.manual_seed(0)
    model = VilaLlava(small_config(s2_scales=[28, 56, 84])).eval()
    grids = [(2, 5), (3, 3)]
    images = [torch.randn(1 + 4 + rows * columns, 3, 28, 28) for rows, columns in grids]
    features = model.model.get_image_features(pixel_values=torch.cat(images), image_sizes=torch.tensor(grids))
    expected = [s2_reference(model, crops, grid) for crops, grid in zip(images, grids, strict=True)]
    assert [len(one) for one in features] == [40, 36]
    assert all(torch.allclose(own, one, atol=1e-5) for own, one in zip(features, expected, strict=True))
    ids = torch.tensor([[1, *[IMAGE] * 76, 3]])
    logits = model(input_ids=ids, pixel_values=torch.cat(images), image_sizes=torch.tensor(grids)).logits
    assert logits.shape == (1, 78, 64)


@torch.no_grad()
def test_an_image_of_one_crop_stands_for_every_scale() -> None:
    model = VilaLlava(small_config(s2_scales=[28, 56, 84])).eval()
    crop = torch.randn(1, 3, 28, 28)
    (tokens,) = model.model.get_image_features(pixel_values=crop)
    states = model.model.vision_tower(crop, output_hidden_states=True).hidden_states[-2]
    assert torch.allclose(tokens, model.model.multi_modal_projector(states.repeat(1, 1, 3))[0], atol=1e-6)


def test_sizes_are_refused_where_no_scale_needs_them() -> None:
    model = VilaLlava(small_config())
    with pytest.raises(ValueError, match="takes no image_sizes"):
        model.model.get_image_features(pixel_values=torch.zeros(1, 3, 28, 28), image_sizes=torch.tensor([[1, 1]]))


def test_scales_have_to_be_of_one_image() -> None:
    with pytest.raises(RuntimeError):
        join_scales(torch.zeros(5, 4, 3), (1, 2), squares=[1])
