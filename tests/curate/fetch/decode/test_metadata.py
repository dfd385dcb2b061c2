import io
import struct
import zlib

import pytest
from PIL import Image

from curate.fetch.decode.metadata import (
    MAX_PROFILE_BYTES,
    png_profile,
    without_jpeg_metadata,
    without_png_metadata,
)
from tests.curate.fetch import samples


def chunk(name: bytes, data: bytes, *, crc: int | None = None) -> bytes:
    checksum = zlib.crc32(name + data) if crc is None else crc
    return struct.pack(">I4s", len(data), name) + data + struct.pack(">I", checksum)


def png(*chunks: bytes, after: bytes = b"") -> bytes:
    """Return a PNG file with chunks before its pixels, and after them."""
    plain = samples.encoded(samples.picture(), "PNG")
    end = plain.index(b"IEND") - 4
    return plain[:33] + b"".join(chunks) + plain[33:end] + after + plain[end:]


def segment(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


BOMB = chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(20_000_000)))
EXIF = chunk(b"eXIf", b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0")


def test_what_is_beside_the_pixels_of_a_png_is_left_out() -> None:
    plain = png()
    assert without_png_metadata(plain) is plain
    for extra in (BOMB, chunk(b"tEXt", b"a\0b", crc=0), chunk(b"iCCP", b"x"), chunk(b"eXIf", b"junk", crc=0)):
        assert without_png_metadata(png(extra)) == plain
        assert without_png_metadata(png(after=extra)) == plain
    assert without_png_metadata(png(EXIF, BOMB)) == png(EXIF)


def test_a_png_that_is_cut_short_stays_so() -> None:
    for num_bytes in (0, 8, 20, 40, 90):
        assert without_png_metadata(png()[:num_bytes]) == png()[:num_bytes]


def test_the_profile_of_a_png() -> None:
    packed = chunk(b"iCCP", b"name\0\0" + zlib.compress(b"profile"))
    assert png_profile(png(packed)) == b"profile"
    for extra in (b"", chunk(b"iCCP", b"name\0\0junk"), chunk(b"iCCP", b"name"), chunk(b"iCCP", b"")):
        assert png_profile(png(extra)) is None
    bomb = chunk(b"iCCP", b"name\0\0" + zlib.compress(bytes(MAX_PROFILE_BYTES * 5)))
    assert png_profile(png(bomb)) is None


@pytest.mark.parametrize("marker", [0xE1, 0xE2, 0xED, 0xFE])
def test_what_is_beside_the_pixels_of_a_jpeg_is_left_out(marker: int) -> None:
    plain = samples.encoded(samples.picture(), "JPEG")
    assert without_jpeg_metadata(plain) == plain
    assert without_jpeg_metadata(plain[:2] + segment(marker, b"Exif\0\0junk") + plain[2:]) == plain
    cmyk = samples.jpeg(mode="CMYK")
    assert Image.open(io.BytesIO(without_jpeg_metadata(cmyk))).mode == "CMYK"


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xe1", b"\xff\xd8\xff\xe1\xff\xff", b"\xff\xd8" * 9])
def test_what_is_no_jpeg_is_no_harm(data: bytes) -> None:
    assert len(without_jpeg_metadata(data)) <= len(data)
