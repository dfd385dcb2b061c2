"""The reader of each format. Pillow's own opener tries every plugin, and warns about size before it can be asked."""

import functools
import importlib
import importlib.util
import io
from typing import Any

from PIL import ImageFile
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from curate.contract.reasons import FetchStatus
from curate.fetch.decode.jpeg2000 import check_tiles
from curate.fetch.decode.metadata import png_profile, without_jpeg_metadata, without_png_metadata
from curate.fetch.errors import FetchError

_READERS: dict[str, type[ImageFile.ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "GIF": GifImageFile,
    "WEBP": WebPImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
    "AVIF": AvifImageFile,
    "JPEG2000": Jpeg2KImageFile,
}
_HEIF_MODULE = "pillow_heif"


def open_image(data: bytes, kind: str) -> ImageFile.ImageFile:
    """Return a file opened but not decoded, its metadata out of the way where that is damaged.

    Raises:
        FetchError: NOT_AN_IMAGE, its reader is not installed; BROKEN_IMAGE.
        Exception: What Pillow's plugins raise on bytes that are no such file.
    """
    if kind == "HEIC":
        return _open_heif(data)
    if kind == "JPEG2000":
        check_tiles(data)
    if kind == "PNG":
        return PngImageFile(io.BytesIO(without_png_metadata(data)))
    try:
        return _READERS[kind](io.BytesIO(data))
    except Exception:
        if kind != "JPEG":
            raise
        return JpegImageFile(io.BytesIO(without_jpeg_metadata(data)))


def profile_of(image: ImageFile.ImageFile, data: bytes) -> bytes | None:
    """Return the colour profile that an opened file carries, or None."""
    profile = png_profile(data) if isinstance(image, PngImageFile) else image.info.get("icc_profile")
    return profile if isinstance(profile, bytes) else None


def has_heif() -> bool:
    """Return whether the extra that reads HEIC is installed."""
    return importlib.util.find_spec(_HEIF_MODULE) is not None


def _open_heif(data: bytes) -> ImageFile.ImageFile:
    if not has_heif():
        raise FetchError(FetchStatus.NOT_AN_IMAGE, "HEIC, for which the extra `heif` is not installed")
    image: ImageFile.ImageFile = _heif().HeifImageFile(io.BytesIO(data))
    return image


@functools.cache
def _heif() -> Any:
    module = importlib.import_module(_HEIF_MODULE)
    module.options.DECODE_THREADS = 1  # decoding has threads of its own
    return module
