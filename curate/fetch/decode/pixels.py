"""Pixel arithmetic of stored images: target sizes, colour modes, orientation."""

import math

import cv2
import numpy as np
from PIL import Image

from curate.fetch.config import ResizeConfig
from curate.fetch.decode.scratch import borrow

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

MAX_SHRINK = 2.6
"""Largest factor that `shrink` filters in one step; beyond it, text aliases."""

# Fitted to Lanczos on photographs and text, see docs/LOG.md. Wider filters, which 3 x 3 weights cannot hold, blur.
_BLUR_PX = 0.45
_SHARPENED = 0.3
_BINOMIAL_PX = 0.85
"""Its weights round to 1/4, 1/2, 1/4, for which OpenCV has a path of twice the speed."""
_BINOMIAL_FACTORS = (1.85, 2.4)
"""Where those weights serve as well as the fitted ones."""
_LARGE_STEP = 2.25
"""Factor left by a first step over images that shrink by more than `MAX_SHRINK`."""
_KERNEL = (3, 3)


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


def shrink(pixels: np.ndarray, *, size: tuple[int, int]) -> np.ndarray:
    """Scale samples down: low-pass, bilinear, then a little of the lost contrast back.

    It takes 60 % of the time of OpenCV's INTER_AREA and comes closer to Lanczos. All three steps are integer arithmetic
    or exact in float, so the result does not depend on the processor's instruction set, which cannot be said of
    INTER_CUBIC (through IPP) and of filter2D.

    Args:
        pixels: uint8 [H, W, 3].
        size: Width and height of the result, px; neither larger than that of `pixels`.

    Returns:
        uint8 [size[1], size[0], 3], good until this thread's next call; `pixels` itself if that is its size.
    """
    factors = _factors(pixels, size)
    if max(factors) > MAX_SHRINK:
        step = [min(round(_LARGE_STEP * side), limit) for side, limit in zip(size, pixels.shape[1::-1], strict=True)]
        pixels = cv2.resize(pixels, step, interpolation=cv2.INTER_AREA)
        factors = _factors(pixels, size)
    if max(factors) <= 1:
        return pixels
    blur_x_px, blur_y_px = (_blur_px(factor) for factor in factors)
    smooth = borrow("smooth", pixels.shape)
    scaled, blurred = (borrow(name, (size[1], size[0], 3)) for name in ("scaled", "blurred"))
    cv2.GaussianBlur(pixels, _KERNEL, blur_x_px, dst=smooth, sigmaY=blur_y_px)
    cv2.resize(smooth, size, dst=scaled, interpolation=cv2.INTER_LINEAR)
    cv2.GaussianBlur(scaled, _KERNEL, _BINOMIAL_PX, dst=blurred)
    cv2.addWeighted(scaled, 1 + _SHARPENED, blurred, -_SHARPENED, 0, dst=scaled)
    return scaled


def _factors(pixels: np.ndarray, size: tuple[int, int]) -> tuple[float, float]:
    return pixels.shape[1] / size[0], pixels.shape[0] / size[1]


def _blur_px(factor: float) -> float:
    least, largest = _BINOMIAL_FACTORS
    if least <= factor <= largest:
        return _BINOMIAL_PX
    return max(_BLUR_PX * math.sqrt(factor**2 - 1), 0.01)  # OpenCV would take 0 for "choose one"
