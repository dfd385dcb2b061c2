"""Colour profiles: samples of another gamut become those of sRGB, as which files without a profile are shown."""

import functools
import io

import numpy as np
from PIL import Image, ImageCms

from curate.fetch.decode.metadata import MAX_PROFILE_BYTES

_SPACES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}  # bytes 16 to 19 of a profile (ICC.1:2022, table 19)
_SEEN_DIFFERENCE = 3
"""Of 255: profiles that change no colour by more are sRGB under another name."""

_CACHED_PROFILES = 16
_PROBED_LEVELS = (0, 36, 73, 109, 146, 182, 219, 255)


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return an image as a screen shows it: as it is without a profile, or with one that fits it not or makes no sense.

    Args:
        image: RGB, L or CMYK.
        profile: ICC profile of the file that it was read from.
    """
    if not profile or len(profile) > MAX_PROFILE_BYTES:
        return image
    mode = _SPACES.get(profile[16:20])
    if mode == "L" and image.mode == "RGB":  # a gray file, read as RGB
        image = image.getchannel(0)
    transform = _transform(profile, image.mode) if image.mode == mode else None
    return image if transform is None else _apply(image, transform)


@functools.lru_cache(maxsize=_CACHED_PROFILES)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return what turns a profile's samples into sRGB, or None where nothing is to be done or can be."""
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            renderingIntent=ImageCms.Intent.PERCEPTUAL,
            flags=ImageCms.Flags.NOCACHE,  # threads share it
        )
        return None if _changes_nothing(transform, mode) else transform
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    if mode == "CMYK":
        return False
    levels = np.array(_PROBED_LEVELS, np.uint8)
    if mode == "L":
        probe = Image.fromarray(levels[None, :])
    else:
        probe = Image.fromarray(np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3))
    before, after = (np.asarray(one.convert("RGB"), np.int16) for one in (probe, _apply(probe, transform)))
    return int(np.abs(after - before).max()) <= _SEEN_DIFFERENCE


def _apply(image: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    shown = ImageCms.applyTransform(image, transform)
    assert shown is not None  # noqa: S101 - it is None for a change in place only
    return shown
