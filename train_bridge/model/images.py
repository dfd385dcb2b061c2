"""Stored image bytes to pixels of the size that the vision tower takes.

Pixels stay uint8 until they are on the device: a quarter of the memory and of the traffic of floats. The geometry is
that of the exported image processor (CLIP: shorter side, then the centre; SigLIP: both sides), so that a model sees in
training what it sees at inference. How a form is read off such a processor: ``image_modes.py``.

Shapes: see ``train_bridge.model``.
"""

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from train_bridge.tokens.tiling import Tiling

MAX_ASPECT = 50
"""Longer side over the shorter one, beyond which not all of an image is looked at; rules of corpora end far below."""
Pixels = npt.NDArray[np.uint8]
DECODE_ERRORS = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
"""What Pillow raises for bytes that are no sound image."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageForm:
    """How pixels are made."""

    height: int
    """px that the vision tower takes."""
    width: int
    shorter_side: int | None
    """px: scale the shorter side to this and cut the centre out; None scales both sides, whatever the aspect."""
    resample: int
    """Pillow's filter."""
    mean: tuple[float, ...]
    """Per channel, of values in 0..1."""
    std: tuple[float, ...]
    pads: bool = False
    """Make the image a square first, with bars of the mean colour."""
    tiling: Tiling | None = None
    """Cut it into crops instead."""


def decode_image(data: bytes, *, form: ImageForm) -> Pixels:
    """Decode one image of any mode to [3, H, W].

    Raises:
        One of ``DECODE_ERRORS``: the bytes are no sound image.
    """
    return _pixels(shape_image(_open(data), form=form))


def decode_crops(data: bytes, *, form: ImageForm, grid: tuple[int, int]) -> list[Pixels]:
    """Decode one image to the crops of its grid, each [3, H, W], in the order in which the model takes them.

    Args:
        data: Of the image.
        form: Has a ``tiling``.
        grid: Rows and columns, as they were when its tokens were counted.

    Raises:
        One of ``DECODE_ERRORS``: the bytes are no sound image.
        ValueError: There is no tiling.
    """
    if form.tiling is None:
        raise ValueError("an image form without a tiling has no crops")
    image, tiling = _open(data), form.tiling
    grids = [grid] if tiling.mode == "tiles" else [*((side, side) for side in tiling.scales[:-1]), grid]
    crops = [crop for one in grids for crop in _cut(image, one, form=form)]
    if tiling.mode == "tiles" and len(crops) > 1:
        crops += _cut(image, (1, 1), form=form)  # the whole of it, small
    return [_pixels(crop) for crop in crops]


def shape_image(image: Image.Image, *, form: ImageForm) -> Image.Image:
    """Scale, pad or crop an RGB image to the size that the vision tower takes, as one crop."""
    resample = Image.Resampling(form.resample)
    image = _tamed(image, form=form)
    if form.pads:
        image = _to_square(image, colour=form.mean)
    if form.shorter_side is None:
        return image.resize((form.width, form.height), resample)
    scale = form.shorter_side / min(image.size)
    image = image.resize((_scaled(image.width, scale), _scaled(image.height, scale)), resample)
    left, top = (image.width - form.width) // 2, (image.height - form.height) // 2
    return image.crop((left, top, left + form.width, top + form.height))  # outside the image is black


def _open(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as file:
        return file.convert("RGB")


def _pixels(image: Image.Image) -> Pixels:
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))


def _cut(image: Image.Image, grid: tuple[int, int], *, form: ImageForm) -> list[Image.Image]:
    """Scale an image to a grid of crops and cut it, in reading order."""
    rows, columns = grid
    size = (columns * form.width, rows * form.height)
    image = image.resize(size, Image.Resampling.BICUBIC)  # NVlabs/VILA: Pillow's default, whatever the processor's
    return [
        image.crop((x * form.width, y * form.height, (x + 1) * form.width, (y + 1) * form.height))
        for y in range(rows)
        for x in range(columns)
    ]


def _tamed(image: Image.Image, *, form: ImageForm) -> Image.Image:
    """Take what can be seen of an image that is very long, before its other side is blown up.

    Of 20,000 x 2 px cropping would make 2,000,000 x 224, and padding 20,000 x 20,000.
    """
    short, long = min(image.size), max(image.size)
    if long <= MAX_ASPECT * short:
        return image
    if form.pads:
        scale = min(1.0, 4 * form.height / long)
        return image.resize((_scaled(image.width, scale), _scaled(image.height, scale)), Image.Resampling.BICUBIC)
    if form.shorter_side is None:
        return image
    width, height = (min(side, MAX_ASPECT * short) for side in image.size)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _to_square(image: Image.Image, *, colour: tuple[float, ...]) -> Image.Image:
    """Put bars on both sides of the shorter direction, as LLaVA does."""
    side = max(image.size)
    square = Image.new("RGB", (side, side), tuple(int(value * 255) for value in colour))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square


def normalise(pixels_nchw: torch.Tensor, *, form: ImageForm) -> torch.Tensor:
    """Turn uint8 pixels [N, 3, H, W] into the vision tower's float32 input."""
    mean_1c11 = torch.tensor(form.mean, device=pixels_nchw.device).view(1, -1, 1, 1)
    std_1c11 = torch.tensor(form.std, device=pixels_nchw.device).view(1, -1, 1, 1)
    return (pixels_nchw.float() / 255 - mean_1c11) / std_1c11


def _scaled(side: int, scale: float) -> int:
    """Round as torchvision's Resize does: down, but for noise of the division."""
    return max(1, int(side * scale + 1e-6))
