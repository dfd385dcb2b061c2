import functools
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from curate.fetch.decode.colour import to_srgb
from curate.fetch.decode.metadata import MAX_PROFILE_BYTES


def tag_table(tags: dict[bytes, bytes]) -> bytes:
    start = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    return table + body


@functools.cache
def swapped_profile() -> bytes:
    """Return a profile in which red means green, green blue and blue red; otherwise like sRGB, with a gamma of 2.2."""

    def xyz(x: float, y: float, z: float) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">iii", *(round(value * 65_536) for value in (x, y, z)))

    red, green, blue = xyz(0.4361, 0.2225, 0.0139), xyz(0.3851, 0.7169, 0.0971), xyz(0.1431, 0.0606, 0.7141)
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    text = b"desc\0\0\0\0" + struct.pack(">I", 2) + b"x\0" + bytes(79)
    colours = {b"rXYZ": green, b"gXYZ": blue, b"bXYZ": red, b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    body = tag_table({b"desc": text, b"cprt": b"text\0\0\0\0x\0", b"wtpt": xyz(0.9642, 1, 0.8249), **colours})
    head = struct.pack(">I4sI4s4s4s", 128 + len(body), bytes(4), 0x0210_0000, b"mntr", b"RGB ", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">iii", 63_190, 65_536, 54_061)
    return head.ljust(128, b"\0") + body


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def colours(image: Image.Image) -> list[int]:
    return [int(value) for value in np.asarray(image.convert("RGB"))[0, 0]]


def test_another_gamut_becomes_srgb() -> None:
    shown = to_srgb(Image.new("RGB", (2, 2), (255, 0, 0)), swapped_profile())
    assert np.abs(np.array(colours(shown)) - (0, 255, 0)).max() <= 3


def test_srgb_is_not_touched() -> None:
    image = Image.new("RGB", (2, 2), (10, 20, 30))
    assert to_srgb(image, srgb_profile()) is image
    assert to_srgb(image, None) is image


@pytest.mark.parametrize(
    "profile",
    [b"", b"junk", bytes(16) + b"RGB " + bytes(200), swapped_profile()[:300], bytes(MAX_PROFILE_BYTES + 1)],
    ids=["empty", "junk", "zeros", "cut", "large"],
)
def test_a_profile_that_makes_no_sense_is_ignored(profile: bytes) -> None:
    image = Image.new("RGB", (2, 2), (10, 20, 30))
    assert to_srgb(image, profile) is image


def test_a_profile_of_another_kind_of_image_is_ignored() -> None:
    for mode in ("L", "CMYK"):
        image = Image.new(mode, (2, 2), 7)
        assert to_srgb(image, swapped_profile()) is image
