import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPImageProcessor, SiglipImageProcessor

from train_bridge.model import images
from train_bridge.model.image_modes import image_form
from train_bridge.model.images import DECODE_ERRORS, ImageForm, decode_crops, decode_image, normalise, shape_image
from train_bridge.tokens.tiling import Tiling

RNG = np.random.default_rng(0)
CLIP = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
SQUARE = CLIPImageProcessor(size={"height": 32, "width": 32}, do_center_crop=False)
SIGLIP = SiglipImageProcessor(size={"height": 32, "width": 32})


def png(width: int, height: int) -> bytes:
    small = RNG.integers(0, 255, (height // 4, width // 4, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(small).resize((width, height)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("processor", [CLIP, SQUARE, SIGLIP], ids=["clip", "square", "siglip"])
@pytest.mark.parametrize(("width", "height"), [(64, 48), (45, 90), (32, 32), (20, 28)])
def test_pixels_are_those_of_the_image_processor(processor: CLIPImageProcessor, width: int, height: int) -> None:
    data = png(width, height)
    form = image_form(processor)
    ours = normalise(torch.from_numpy(decode_image(data, form=form))[None], form=form)
    with Image.open(io.BytesIO(data)) as image:
        theirs = processor(image, return_tensors="pt")["pixel_values"]
    assert ours.shape == theirs.shape
    # Pillow and torchvision round after each axis differently: a level of 255 here and there.
    levels = (ours - theirs).abs() * min(form.std) * 255
    assert levels.max() < 4
    assert levels.mean() < 0.5


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "CMYK", "I;16"])
def test_any_mode_becomes_three_channels(mode: str) -> None:
    buffer = io.BytesIO()
    Image.new(mode, (40, 40)).save(buffer, "TIFF")
    assert decode_image(buffer.getvalue(), form=image_form(CLIP)).shape == (3, 32, 32)


@pytest.mark.parametrize("size", [(1, 1), (300, 2)])
def test_extreme_sizes(size: tuple[int, int]) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", size).save(buffer, "PNG")
    assert decode_image(buffer.getvalue(), form=image_form(CLIP)).shape == (3, 32, 32)


@pytest.mark.parametrize("data", [b"", b"<html>", png(64, 64)[:200]])
def test_bytes_that_are_no_image(data: bytes) -> None:
    with pytest.raises(DECODE_ERRORS):
        decode_image(data, form=image_form(CLIP))


def quarters() -> bytes:
    image = Image.new("RGB", (32, 16))
    for place, colour in enumerate(((200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0))):
        image.paste(Image.new("RGB", (16, 8), colour), (16 * (place % 2), 8 * (place // 2)))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def tiled(mode: str) -> ImageForm:
    tiling = Tiling(mode="s2" if mode == "s2" else "tiles", size_px=8, scales=(1, 2))
    return replace(image_form(SQUARE), height=8, width=8, tiling=tiling)


def test_tiles_are_in_reading_order_and_the_whole_comes_last() -> None:
    crops = decode_crops(quarters(), form=tiled("tiles"), grid=(2, 2))
    assert [crop[:, 4, 4].tolist() for crop in crops[:4]] == [[200, 0, 0], [0, 200, 0], [0, 0, 200], [200, 200, 0]]
    assert np.array_equal(crops[4], decode_image(quarters(), form=replace(tiled("tiles"), tiling=None)))
    assert len(decode_crops(quarters(), form=tiled("tiles"), grid=(1, 1))) == 1


def test_scales_begin_with_the_whole_image() -> None:
    crops = decode_crops(quarters(), form=tiled("s2"), grid=(1, 2))
    assert len(crops) == 3
    assert np.array_equal(crops[0], decode_image(quarters(), form=replace(tiled("s2"), tiling=None)))
    assert crops[1][0].mean() > 90 > crops[2][0].mean() - 20
    with pytest.raises(ValueError, match="without a tiling"):
        decode_crops(quarters(), form=image_form(SQUARE), grid=(1, 1))


def test_padding_keeps_the_shape_of_what_is_shown() -> None:
    form = replace(image_form(CLIP), pads=True, mean=(0.5, 0.0, 1.0))
    wide = shape_image(Image.new("RGB", (64, 32), "white"), form=form)
    assert wide.size == (32, 32)
    assert [wide.getpixel((16, y)) for y in (2, 16, 30)] == [(127, 0, 255), (255, 255, 255), (127, 0, 255)]


def test_normalise_is_per_channel() -> None:
    form = ImageForm(height=1, width=1, shorter_side=None, resample=3, mean=(0.0, 0.5, 1.0), std=(1.0, 0.5, 2.0))
    pixels = torch.full((1, 3, 1, 1), 255, dtype=torch.uint8)
    assert normalise(pixels, form=form).flatten().tolist() == [1.0, 1.0, 0.0]


@pytest.mark.parametrize("pads", [False, True])
@pytest.mark.parametrize("size", [(20_000, 2), (2, 20_000)])
def test_a_very_long_image_is_not_blown_up(size: tuple[int, int], *, pads: bool) -> None:
    form = replace(image_form(CLIP), pads=pads)
    image = Image.new("RGB", size, "red")
    tamed = images._tamed(image, form=form)
    assert max(tamed.size) <= max(images.MAX_ASPECT * min(size), 4 * form.height)
    assert shape_image(image, form=form).size == (32, 32)
    if not pads:
        assert shape_image(image, form=form).getpixel((16, 16)) == (255, 0, 0)
