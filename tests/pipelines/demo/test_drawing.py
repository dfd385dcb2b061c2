import io
import random

import numpy as np
import pytest
from PIL import Image

from pipelines.demo.drawing import (
    EXTENSIONS,
    MAX_SIDE_PX,
    MIN_SIDE_PX,
    PALETTE,
    draw_scene,
    encode_image,
    sample_size,
)
from pipelines.demo.scenes import SHAPES, Figure, Scene


def test_sizes_stay_within_their_limits() -> None:
    rng = random.Random(0)
    sizes = [sample_size(rng) for _ in range(500)]
    assert all(MIN_SIDE_PX <= side <= MAX_SIDE_PX for size in sizes for side in size)
    assert any(width != height for width, height in sizes)
    assert all(max(size) <= 2 * min(size) for size in sizes)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_has_its_colour_on_its_ground(shape: str) -> None:
    scene = Scene("plain", "white", (Figure("blue", shape),), None)
    pixels = np.asarray(draw_scene(scene, random.Random(1), width=200, height=160)).astype(int)
    blue = (np.abs(pixels - PALETTE["blue"]).max(axis=2) <= 12).mean()
    assert pixels.shape == (160, 200, 3)
    assert 0.03 < blue < 0.6
    assert (np.abs(pixels - PALETTE["white"]).max(axis=2) <= 15).mean() == pytest.approx(1 - blue, abs=0.001)


@pytest.mark.parametrize(("relation", "axis"), [("left of", 1), ("above", 0)])
def test_the_first_figure_stands_where_the_relation_says(relation: str, axis: int) -> None:
    scene = Scene("plain", "white", (Figure("red", "circle"), Figure("black", "square")), relation)
    pixels = np.asarray(draw_scene(scene, random.Random(2), width=200, height=200)).astype(int)
    red = np.argwhere(np.abs(pixels - PALETTE["red"]).max(axis=2) <= 12)[:, axis]
    black = np.argwhere(np.abs(pixels - PALETTE["black"]).max(axis=2) <= 12)[:, axis]
    assert red.max() < black.min()


@pytest.mark.parametrize("pattern", ["striped", "dotted", "speckled"])
def test_a_patterned_ground_is_not_plain(pattern: str) -> None:
    scene = Scene(pattern, "green", (Figure("red", "ring"),), None)
    corner = np.asarray(draw_scene(scene, random.Random(3), width=300, height=300))[:60, :60]
    assert corner.std(axis=(0, 1)).max() > 2


@pytest.mark.parametrize("image_format", EXTENSIONS)
def test_files_repeat_byte_for_byte_and_decode(image_format: str) -> None:
    scene = Scene("speckled", "yellow", (Figure("purple", "star"),), None)
    one, other = (
        encode_image(draw_scene(scene, random.Random(4), width=180, height=170), image_format) for _ in range(2)
    )
    assert one == other
    with Image.open(io.BytesIO(one)) as image:
        assert (image.format, image.size) == (image_format, (180, 170))
