import io

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPImageProcessor, SiglipImageProcessor

from curate.contract.errors import CurateError
from train_bridge.model.images import DECODE_ERRORS, ImageForm, decode_image, image_form, normalise

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


@pytest.mark.parametrize(
    "options",
    [{"do_normalize": False}, {"rescale_factor": 1 / 127}, {"do_center_crop": False, "size": {"shortest_edge": 32}}],
)
def test_processors_that_do_something_else_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(CurateError, match="image processor"):
        image_form(CLIPImageProcessor(**options))


def test_normalise_is_per_channel() -> None:
    form = ImageForm(height=1, width=1, shorter_side=None, resample=3, mean=(0.0, 0.5, 1.0), std=(1.0, 0.5, 2.0))
    pixels = torch.full((1, 3, 1, 1), 255, dtype=torch.uint8)
    assert normalise(pixels, form=form).flatten().tolist() == [1.0, 1.0, 0.0]
