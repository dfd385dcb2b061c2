import base64
import io
import struct
import zlib

import pytest
from PIL import Image

from curate.report.thumbnails import MAX_SIDE_PX, make_thumbnail
from tests.curate.report import tables as make


def decode(uri: str | None) -> Image.Image:
    assert uri is not None
    assert uri.startswith("data:image/jpeg;base64,")
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


@pytest.mark.parametrize(("size", "expected"), [((800, 400), (200, 100)), ((30, 20), (30, 20)), ((1, 900), (1, 200))])
def test_the_longer_side_is_at_most_the_limit(size: tuple[int, int], expected: tuple[int, int]) -> None:
    thumbnail = decode(make_thumbnail(make.jpeg(*size)))
    assert thumbnail.format == "JPEG"
    assert thumbnail.size == expected
    assert max(thumbnail.size) <= MAX_SIDE_PX


def test_transparency_becomes_white() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(out, "PNG")
    assert decode(make_thumbnail(out.getvalue())).convert("RGB").getpixel((4, 4)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "I;16", "LA"])
def test_any_mode_becomes_a_jpeg(mode: str) -> None:
    out = io.BytesIO()
    Image.new(mode, (8, 8)).save(out, "TIFF" if mode == "CMYK" else "PNG")
    assert decode(make_thumbnail(out.getvalue())).mode == "RGB"


def test_same_bytes_same_thumbnail() -> None:
    assert make_thumbnail(make.jpeg()) == make_thumbnail(make.jpeg())


def huge_png() -> bytes:
    """A PNG header that announces 400 million pixels."""
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


@pytest.mark.parametrize("data", [b"", b"<svg onload=alert(1)>", make.jpeg()[:120], huge_png()])
def test_what_cannot_be_decoded_has_no_thumbnail(data: bytes) -> None:
    assert make_thumbnail(data) is None
