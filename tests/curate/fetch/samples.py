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
    return _png(*chunks)


def blank_png(width: int, height: int, *, bits: int, color: int) -> bytes:
    """Return a whole PNG file of zeros, which may be thousands of times smaller than its pixels."""
    channels = {0: 1, 6: 4}[color]
    num_bytes = height * (1 + (width * bits * channels + 7) // 8)
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block_bytes = 1 << 20
    block = compressor.compress(bytes(block_bytes)) + compressor.flush(zlib.Z_FULL_FLUSH)
    num_blocks, rest = divmod(num_bytes, block_bytes)
    checksum = (num_bytes % 65_521) << 16 | 1  # Adler-32 of zeros
    data = b"\x78\xda" + block * num_blocks + compressor.compress(bytes(rest)) + compressor.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    return _png((b"IHDR", header), (b"IDAT", data + struct.pack(">I", checksum)), (b"IEND", b""))


def gif(num_frames: int) -> bytes:
    """Return an animation of small frames, the first of which fills the canvas."""
    first = encoded(picture("P"), "GIF")
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x08\x04\x00\x01\x04\x04\x00"
    return first.removesuffix(b";") + frame * (num_frames - 1) + b";"


def _png(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
