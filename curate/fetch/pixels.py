"""Pixel arithmetic of stored images: target sizes, colour modes, orientation."""

import numpy as np
from PIL import Image

from curate.fetch.config import ResizeConfig

_ORIENTATION_TAG = 0x0112  # EXIF 2.32, table 4
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SWAPPING = frozenset({5, 6, 7, 8})
_STRETCHED_ROWS = 256  # at a time: the intermediate float64 block is eight times as large as its result
_WHITE = (255, 255, 255)

REDUCING_GAP = 2.0
"""Large images are averaged down to no less than twice the target before LANCZOS; the gap of Pillow's `thumbnail`."""


def target_size(size: tuple[int, int], *, resize: ResizeConfig | None) -> tuple[int, int]:
    """Return the stored width and height, px, of an image of this size."""
    shorter = min(size)
    if resize is None or shorter == resize.shorter_side or (resize.only_if_larger and shorter < resize.shorter_side):
        return size
    width, height = (max(1, round(side * resize.shorter_side / shorter)) for side in size)
    return width, height


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1, upright, if there is none or it makes no sense."""
    value = image.getexif().get(_ORIENTATION_TAG, 1)
    return value if isinstance(value, int) and value in _TURNS else 1


def turn_upright(image: Image.Image, turn: int) -> Image.Image:
    """Apply an EXIF orientation."""
    return image.transpose(_TURNS[turn]) if turn in _TURNS else image


def upright_size(size: tuple[int, int], turn: int) -> tuple[int, int]:
    """Return width and height after an EXIF orientation has been applied."""
    return (size[1], size[0]) if turn in _SWAPPING else size


def to_opaque(image: Image.Image) -> Image.Image:
    """Return the image in a mode that can be averaged and has no alpha; what is transparent shows white."""
    if image.mode in {"I", "F"} or image.mode.startswith("I;"):
        return _to_8_bits(image)
    if "transparency" in image.info or image.mode in {"PA", "LA", "RGBa"}:
        image = image.convert("RGBA")
    if image.mode == "RGBA":
        # Before any scaling: averaging first would let the hidden colours of clear pixels bleed into their neighbours.
        backdrop = Image.new("RGB", image.size, _WHITE)
        backdrop.paste(image, mask=image)
        return backdrop
    return image.convert({"P": "RGB", "1": "L"}[image.mode]) if image.mode in {"P", "1"} else image


def _to_8_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    if image.mode.startswith("I;16"):
        return Image.fromarray((values >> 8).astype(np.uint8))
    with np.errstate(invalid="ignore", over="ignore"):  # hostile files hold signalling NaNs
        return Image.fromarray(_stretch(values))


def _stretch(values: np.ndarray) -> np.ndarray:
    """Return 8-bit samples [H, W]: 32-bit ones have no fixed white, so the least becomes black, the largest white."""
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(values.shape, np.uint8)
    low = float(values.min(where=known, initial=np.inf if values.dtype.kind == "f" else values.max()))
    high = float(values.max(where=known, initial=-np.inf if values.dtype.kind == "f" else values.min()))
    scale = 255.0 / (high - low) if high > low else 0.0
    stretched = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), _STRETCHED_ROWS):
        block = values[start : start + _STRETCHED_ROWS].astype(np.float64)
        block = np.nan_to_num(block, nan=low, posinf=high, neginf=low)
        stretched[start : start + _STRETCHED_ROWS] = ((block - low) * scale).round()
    return stretched
