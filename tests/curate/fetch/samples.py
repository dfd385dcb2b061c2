"""Small image files, made on the spot."""

import functools
import io
import struct
import zlib

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 40, 30


def picture(mode: str = "RGB", size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image.Image:
    """Return red on the left, blue on the right, the upper left corner green."""
    image = Image.new("RGB", size, (0, 0, 255))
    width, height = size
    image.paste((255, 0, 0), (0, 0, width // 2, height))
    image.paste((0, 255, 0), (0, 0, width // 4, height // 3))
    return image.convert(mode)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """Return an image's file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@functools.cache
def jpeg(*, mode: str = "RGB", orientation: int = 1, size: tuple[int, int] = (WIDTH, HEIGHT)) -> bytes:
    """Return a JPEG file; orientation 1 writes no EXIF."""
    exif = Image.Exif()
    if orientation != 1:
        exif[0x0112] = orientation
    return encoded(picture(mode, size), "JPEG", quality=95, subsampling=0, exif=exif)


@functools.cache
def gray16_png() -> bytes:
    """Return a 16-bit gray PNG whose left half has the value 0x8000 and whose right half is white."""
    values = np.full((HEIGHT, WIDTH), 0xFFFF, np.uint16)
    values[:, : WIDTH // 2] = 0x8000
    return encoded(Image.fromarray(values), "PNG")


def png_header(width: int, height: int, *, bits: int, color: int) -> bytes:
    """Return a PNG file whose header promises this size and whose data is one short row."""
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(100))),
        (b"IEND", b""),
    )
    parts = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
