"""Stored image bytes to pixels of the size that the vision tower takes.

Pixels stay uint8 until they are on the device: a quarter of the memory and of the traffic of floats. The geometry is
that of the exported image processor (CLIP: shorter side, then the centre; SigLIP: both sides), so that a model sees in
training what it sees at inference.

Shapes: see ``train_bridge.model``.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from curate.contract.errors import CurateError

Pixels = npt.NDArray[np.uint8]
DECODE_ERRORS = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
"""What Pillow raises for bytes that are no sound image."""


class ImageProcessor(Protocol):
    """What is read of a Hugging Face image processor; also ``crop_size`` and ``do_center_crop``, where it has them."""

    size: Iterable[tuple[str, int | None]]
    do_resize: bool
    do_rescale: bool
    do_normalize: bool
    rescale_factor: float
    resample: int
    image_mean: Sequence[float]
    image_std: Sequence[float]


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


def image_form(processor: ImageProcessor) -> ImageForm:
    """Read the form off a Hugging Face image processor.

    Raises:
        CurateError: It does something that is not done here (another size rule, another scale).
    """
    size, crop = dict(processor.size), dict(getattr(processor, "crop_size", None) or {})
    size = {name: value for name, value in size.items() if value is not None}
    if not (processor.do_resize and processor.do_rescale and processor.do_normalize):
        raise CurateError("the image processor must resize, rescale and normalise")
    if abs(processor.rescale_factor * 255 - 1) > 1e-6:  # noqa: PLR2004 - any other factor is off by far more
        raise CurateError(f"the image processor scales by {processor.rescale_factor}; expected 1/255")
    shorter_side = size.get("shortest_edge") if set(size) == {"shortest_edge"} else None
    if getattr(processor, "do_center_crop", False):
        target = crop
    elif set(size) == {"height", "width"}:
        target = size
    else:
        raise CurateError(f"the image processor's size {size} without a centre crop gives no fixed size")
    return ImageForm(
        height=int(target["height"]),
        width=int(target["width"]),
        shorter_side=None if shorter_side is None else int(shorter_side),
        resample=int(processor.resample),
        mean=tuple(processor.image_mean),
        std=tuple(processor.image_std),
    )


def decode_image(data: bytes, *, form: ImageForm) -> Pixels:
    """Decode one image of any mode to [3, H, W].

    Raises:
        One of ``DECODE_ERRORS``: the bytes are no sound image.
    """
    with Image.open(io.BytesIO(data)) as file:
        image = file.convert("RGB")
    resample = Image.Resampling(form.resample)
    if form.shorter_side is None:
        image = image.resize((form.width, form.height), resample)
    else:
        scale = form.shorter_side / min(image.size)
        image = image.resize((_scaled(image.width, scale), _scaled(image.height, scale)), resample)
        left, top = (image.width - form.width) // 2, (image.height - form.height) // 2
        image = image.crop((left, top, left + form.width, top + form.height))  # outside the image is black
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))


def normalise(pixels_nchw: torch.Tensor, *, form: ImageForm) -> torch.Tensor:
    """Turn uint8 pixels [N, 3, H, W] into the vision tower's float32 input."""
    mean_1c11 = torch.tensor(form.mean, device=pixels_nchw.device).view(1, -1, 1, 1)
    std_1c11 = torch.tensor(form.std, device=pixels_nchw.device).view(1, -1, 1, 1)
    return (pixels_nchw.float() / 255 - mean_1c11) / std_1c11


def _scaled(side: int, scale: float) -> int:
    """Round as torchvision's Resize does: down, but for noise of the division."""
    return max(1, int(side * scale + 1e-6))
