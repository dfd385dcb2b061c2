"""JPEG through libjpeg-turbo's own interface: reduced-scale decoding, damage told apart from oddity, encoding.

OpenCV is not used here: its decoder takes damaged files for whole ones and prints to standard error. See docs/LOG.md.
"""

import re

import numpy as np
import simplejpeg

from curate.contract.reasons import FetchStatus
from curate.fetch.decode.scratch import borrow
from curate.fetch.errors import FetchError

JPEG_QUALITY = 95
"""Of images that are stored anew; above it files grow without visible gain (libjpeg's documentation)."""

MAX_SCANS = 100
"""Of a progressive file. Encoders write about 10; each costs a pass over all pixels and may take 10 bytes."""

SURPLUS = 4 / 3
"""Least size of a reduced decode, in targets: below it, text is visibly worse than from a full decode."""

_PLAIN_CHROMA = 1.8
"""From this factor on chroma is repeated, not interpolated: it saves 5 % and what is lost cannot be seen."""

_SCALES = (8, 4, 2)  # the inverse transforms that libjpeg-turbo has vector code for; n/8 was slower and worse
_START_OF_SCAN = b"\xff\xda\0"  # the length's upper byte is always 0 (ITU-T T.81, B.2.3)

# libjpeg's words for data that ends too early, at the end of the file or at a marker: the rest would be gray.
_CUT_SHORT = re.compile("premature end", re.IGNORECASE)


def check_scans(data: bytes) -> None:
    """Refuse a progressive JPEG that would take minutes to decode.

    Raises:
        FetchError: BROKEN_IMAGE.
    """
    num_scans = data.count(_START_OF_SCAN)
    if num_scans > MAX_SCANS:
        raise FetchError(FetchStatus.BROKEN_IMAGE, f"{num_scans} scans")


def is_whole(data: bytes) -> bool:
    """Return whether every coefficient can be read; False where a more patient decoder must judge.

    Raises:
        FetchError: BROKEN_IMAGE, the file is cut short.
    """
    # An eighth of the scale and no colour: all is read, hardly anything computed.
    return _decode(data, colorspace="GRAY", least=(1, 1), buffer=None) is not None


def read_jpeg(data: bytes, *, size: tuple[int, int], target: tuple[int, int]) -> np.ndarray | None:
    """Decode a gray or YCbCr JPEG at the least scale of 1, 1/2, 1/4 and 1/8 that leaves `SURPLUS` over the target.

    Args:
        data: The file.
        size: Its width and height, px.
        target: What the pixels will be scaled down to, width and height, px.

    Returns:
        uint8 [H, W, 3], RGB, not turned upright, good until this thread's next call; None where a more patient
        decoder must judge.

    Raises:
        FetchError: BROKEN_IMAGE, the file is cut short.
    """
    least = _least_size(size, target)
    is_plain = least[0] >= target[0] * _PLAIN_CHROMA
    buffer = borrow("decoded", (least[1] + 1, least[0] + 1, 3))
    return _decode(data, colorspace="RGB", least=least, buffer=buffer, is_plain=is_plain)


def write_jpeg(pixels: np.ndarray) -> bytes:
    """Encode uint8 [H, W, 3] RGB samples with 4:2:0 chroma, as OpenCV and Pillow do unasked."""
    data: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(pixels), quality=JPEG_QUALITY, colorspace="RGB", colorsubsampling="420"
    )
    return data


def _least_size(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int]:
    for scale in _SCALES:
        reduced = (-(-size[0] // scale), -(-size[1] // scale))
        if reduced[0] >= target[0] * SURPLUS and reduced[1] >= target[1] * SURPLUS:
            return reduced
    return size


def _decode(
    data: bytes, *, colorspace: str, least: tuple[int, int], buffer: np.ndarray | None, is_plain: bool = False
) -> np.ndarray | None:
    try:
        pixels: np.ndarray = simplejpeg.decode_jpeg(
            data,
            colorspace,
            fastupsample=is_plain,
            min_width=least[0],
            min_height=least[1],
            buffer=buffer,
            strict=True,
        )
    except ValueError as error:  # any warning of libjpeg: most are of harmless oddities
        if _CUT_SHORT.search(str(error)):
            raise FetchError(FetchStatus.BROKEN_IMAGE, str(error)) from error
        return None
    return pixels
