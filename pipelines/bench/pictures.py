"""Seeded pictures with the statistics of photographs, so that codecs have ordinary work to do."""

import io

import cv2
import numpy as np
from PIL import Image

_COARSEST_PX = 512
_CONTRAST = 55.0
"""Standard deviation of the coarsest octave, in grey levels; each finer one has 0.62 of it, near the 1/f of nature."""
_FALLOFF = 0.62
_NUM_EDGES = 60
QUALITY = 82
"""Of the files: what WordPress has saved photographs with since its version 4.5."""


def photo(width: int, height: int, *, seed: int) -> np.ndarray:
    """Return uint8 [height, width, 3]: octaves of smooth noise, crossed by sharp-edged shapes."""
    rng = np.random.default_rng(seed)
    pixels = np.full((height, width, 3), 128.0, np.float32)
    side_px, contrast = _COARSEST_PX, _CONTRAST
    while side_px >= 2:  # noqa: PLR2004 - finer detail than two pixels is what cameras do not resolve
        coarse = (height // side_px + 2, width // side_px + 2)
        gray = rng.standard_normal((*coarse, 1)) + 0.25 * rng.standard_normal((*coarse, 3))
        pixels += contrast * cv2.resize(gray.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        side_px, contrast = side_px // 2, contrast * _FALLOFF
    image = np.clip(pixels, 0, 255).astype(np.uint8)
    for _ in range(_NUM_EDGES):
        center = (int(rng.integers(width)), int(rng.integers(height)))
        axes = (int(rng.integers(4, width // 6)), int(rng.integers(4, height // 6)))
        color = [int(value) for value in rng.integers(0, 256, 3)]
        cv2.ellipse(image, center, axes, float(rng.integers(180)), 0, 360, color, int(rng.integers(1, 6)), cv2.LINE_AA)
    return image


def photo_jpeg(width: int, height: int, *, seed: int) -> bytes:
    """Return such a picture as a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(photo(width, height, seed=seed)).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
