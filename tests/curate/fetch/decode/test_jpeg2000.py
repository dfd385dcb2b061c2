import struct

import pytest

from curate.fetch.decode.jpeg2000 import MAX_COMPONENTS, check_tiles
from curate.fetch.errors import FetchError
from tests.curate.fetch import samples

SIDE = 4_096


def codestream(*, tile: int = SIDE, num_components: int = 3) -> bytes:
    fields = struct.pack(">H8IH", 0, SIDE, SIDE, 0, 0, tile, tile, 0, 0, num_components)
    return b"\xff\x4f\xff\x51" + struct.pack(">H", 2 + len(fields)) + fields


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(data), kind) + data


@pytest.mark.parametrize("options", [{}, {"no_jp2": True}, {"tile_size": (16, 16)}])
def test_images_pass(options: dict[str, object]) -> None:
    check_tiles(samples.encoded(samples.picture(), "JPEG2000", **options))


@pytest.mark.parametrize(
    "stream",
    [
        codestream(tile=32),
        codestream(num_components=MAX_COMPONENTS + 1),
        codestream(tile=0),
        codestream()[:20],
        b"",
    ],
    ids=["tiles", "components", "no tile", "cut", "nothing"],
)
def test_what_is_none_does_not(stream: bytes) -> None:
    for data in (
        stream,
        box(b"jP  ", b"\r\n\x87\n") + box(b"xml ", codestream()) + box(b"jp2c", stream),
        box(b"jP  ", b"\r\n\x87\n") + struct.pack(">I4sQ", 1, b"jp2c", 16 + len(stream)) + stream,
        box(b"jP  ", b"\r\n\x87\n") + struct.pack(">I4s", 0, b"jp2c") + stream,
    ):
        with pytest.raises(FetchError) as caught:
            check_tiles(data)
        assert caught.value.status == "broken_image"
