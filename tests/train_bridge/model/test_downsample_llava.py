import torch
from transformers import CLIPVisionConfig, LlamaConfig

from train_bridge.model.downsample_llava import DownsampleLlavaConfig, DownsampleProjector, join_neighbours


def test_two_by_two_neighbours_are_joined_in_reading_order() -> None:
    joined = join_neighbours(torch.arange(16.0).view(1, 16, 1))
    assert joined[0].tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]


def test_an_odd_grid_is_padded_at_the_right_and_the_bottom() -> None:
    joined = join_neighbours(torch.arange(1.0, 10.0).view(1, 9, 1))
    assert joined[0].tolist() == [[1, 2, 4, 5], [3, 0, 6, 0], [7, 8, 0, 0], [9, 0, 0, 0]]


def test_channels_and_images_stay_apart() -> None:
    patches = torch.randn(2, 4, 3)
    assert torch.equal(join_neighbours(patches), patches.reshape(2, 1, 12))


def test_the_projector_is_a_norm_and_two_layers() -> None:
    vision, text = CLIPVisionConfig(hidden_size=3, num_attention_heads=1), LlamaConfig(hidden_size=32)
    projector = DownsampleProjector(DownsampleLlavaConfig(vision_config=vision, text_config=text))
    assert projector(torch.randn(2, 9, 3)).shape == (2, 4, 32)
    assert [tuple(p.shape) for p in projector.parameters()] == [(12,), (12,), (32, 12), (32,), (32, 32), (32,)]
    scaled = torch.randn(1, 4, 3)
    assert torch.allclose(projector(scaled), projector(100 * scaled), atol=1e-3)  # the norm comes first
