"""Image bytes as fetched -> image bytes as stored, within a pixel cap that is checked before anything is decoded."""

import logging
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from curate.contract.reasons import FetchStatus
from curate.fetch.config import ResizeConfig
from curate.fetch.decode.colour import to_srgb
from curate.fetch.decode.jpeg import check_scans, is_whole, read_jpeg, write_jpeg
from curate.fetch.decode.pixels import (
    REDUCING_GAP,
    orientation,
    shrink,
    target_size,
    to_opaque,
    turn_upright,
    upright_size,
)
from curate.fetch.decode.readers import open_image, profile_of
from curate.fetch.decode.sniff import image_format, markup_kind, webp_size
from curate.fetch.errors import FetchError

MAX_SIDE = 65_500
"""Longest side, px, that libjpeg writes."""

LARGE_IMAGE_PIXELS = 16_000_000
"""Images above are decoded one at a time: each may need several copies of itself in memory."""

# What Pillow's plugins raise on hostile bytes, found in their sources and by mutating files of each format.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)

_one_large_image = threading.Lock()


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredImage:
    """An image as it goes into a table."""

    data: bytes
    """A JPEG file."""
    width: int
    height: int
    original_width: int
    original_height: int


def decode_image(data: bytes, *, resize: ResizeConfig | None, max_pixels: int) -> StoredImage:
    """Return the stored form of an image: upright 8-bit RGB JPEG, first frame, on white.

    The bytes of an upright gray or YCbCr JPEG that needs no resizing are kept as they are.

    Args:
        data: A file of any format that `sniff.image_format` knows.
        resize: Scaling, or None to keep the size.
        max_pixels: Cap on width x height, of the original and of the result.

    Raises:
        FetchError: NOT_AN_IMAGE, TOO_MANY_PIXELS or BROKEN_IMAGE.
    """
    kind, (width, height) = read_header(data, max_pixels=max_pixels)
    with _broken_unless_read(), _one_large_image if width * height > LARGE_IMAGE_PIXELS else nullcontext():
        return _store(data, kind=kind, resize=resize, max_pixels=max_pixels)


def read_header(data: bytes, *, max_pixels: int) -> tuple[str, tuple[int, int]]:
    """Return a file's format, and width and height, px, as it claims; nothing is decoded.

    Raises:
        FetchError: NOT_AN_IMAGE, TOO_MANY_PIXELS or BROKEN_IMAGE.
    """
    quiet_pillow()
    kind = image_format(data)
    if kind is None:
        raise FetchError(FetchStatus.NOT_AN_IMAGE, markup_kind(data) or f"begins with {data[:8].hex(' ')}")
    with _broken_unless_read():
        size = _header_size(data, kind=kind)
        check_size(size, max_pixels=max_pixels)
    return kind, size


def quiet_pillow() -> None:
    """Let Pillow's warnings about odd files pass in silence: they are judged here, and there are millions.

    The filter stays, because `warnings.catch_warnings` must not be used in threads.
    """
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    for category, module in ((Warning, r"PIL\."), (Image.DecompressionBombWarning, "")):
        known = any(
            action == "ignore" and kind is category and getattr(pattern, "pattern", "") == module
            for action, _, kind, pattern, _ in warnings.filters
        )
        if not known:
            warnings.filterwarnings("ignore", category=category, module=module)


def _header_size(data: bytes, *, kind: str) -> tuple[int, int]:
    """Return width and height, px, as the file claims; opening a file costs about 30 us and decodes nothing."""
    return webp_size(data) or (0, 0) if kind == "WEBP" else open_image(data, kind).size


def check_size(size: tuple[int, int], *, max_pixels: int) -> None:
    """Refuse a width and height, px, that no image has or that a decoder should not be asked for.

    Raises:
        FetchError: BROKEN_IMAGE or TOO_MANY_PIXELS.
    """
    width, height = size
    if width < 1 or height < 1:
        raise FetchError(FetchStatus.BROKEN_IMAGE, f"{width} x {height} pixels")
    if width * height > max_pixels or max(size) > MAX_SIDE:
        raise FetchError(FetchStatus.TOO_MANY_PIXELS, f"{width} x {height} pixels")


def _store(data: bytes, *, kind: str, resize: ResizeConfig | None, max_pixels: int) -> StoredImage:
    image = open_image(data, kind)
    profile = profile_of(image, data)
    # Pillow turns TIFF files itself while it loads them.
    turn = 1 if kind == "TIFF" else _orientation(image)
    size = image.size
    target = target_size(size, resize=resize)
    for one in (size, target):
        check_size(one, max_pixels=max_pixels)
    stored = (
        _store_jpeg(data, image, turn=turn, target=target, profile=profile)
        if isinstance(image, JpegImageFile)
        else None
    )
    if stored is None:
        stored = _encode(image, turn=turn, target=target, profile=profile)
    (width, height), (original_width, original_height) = (upright_size(one, turn) for one in (target, size))
    return StoredImage(
        data=stored, width=width, height=height, original_width=original_width, original_height=original_height
    )


def _orientation(image: ImageFile.ImageFile) -> int:
    """Return the EXIF orientation; EXIF that cannot be read tells of none."""
    try:
        return orientation(image)
    except _BROKEN:
        return 1


def _store_jpeg(
    data: bytes, image: JpegImageFile, *, turn: int, target: tuple[int, int], profile: bytes | None
) -> bytes | None:
    """Return the file itself or its scaled copy, by the fast decoder where it has no doubts; None if neither goes."""
    if "progressive" in image.info:
        check_scans(data)
    if image.mode not in {"L", "RGB"} or target[0] > image.size[0]:
        return None
    if turn == 1 and target == image.size:
        if not is_whole(data):
            image.draft(None, (1, 1))
            image.load()
        return data
    pixels = read_jpeg(data, size=image.size, target=target)
    if pixels is None:
        return None
    _keep_opencv_on_one_thread()
    scaled = shrink(pixels, size=target)
    if turn == 1 and profile is None:
        return write_jpeg(scaled)
    return _write(to_srgb(Image.fromarray(scaled), profile), turn=turn)


def _encode(image: ImageFile.ImageFile, *, turn: int, target: tuple[int, int], profile: bytes | None) -> bytes:
    if target != image.size:
        # JPEG only: decodes at 1/2, 1/4 or 1/8 of the scale, never below REDUCING_GAP times the target.
        image.draft(None, (int(target[0] * REDUCING_GAP), int(target[1] * REDUCING_GAP)))
    image.load()
    pixels = to_opaque(image)
    if pixels.size != target:
        pixels = pixels.resize(target, Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)
    return _write(to_srgb(pixels, profile), turn=turn)


def _write(pixels: Image.Image, *, turn: int) -> bytes:
    return write_jpeg(np.asarray(turn_upright(pixels if pixels.mode == "RGB" else pixels.convert("RGB"), turn)))


def _keep_opencv_on_one_thread() -> None:
    """Stop OpenCV from starting threads of its own in every decode thread; the setting holds for the process."""
    if cv2.getNumThreads() != 1:
        cv2.setNumThreads(1)


@contextmanager
def _broken_unless_read() -> Iterator[None]:
    try:
        yield
    except Image.DecompressionBombError as error:
        raise FetchError(FetchStatus.TOO_MANY_PIXELS, str(error)) from error
    except _BROKEN as error:
        text = " ".join(str(error).split())
        raise FetchError(FetchStatus.BROKEN_IMAGE, f"{type(error).__name__}: {text}"[:300]) from error
