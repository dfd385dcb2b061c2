import io

import numpy as np
import pytest
from PIL import Image

from train_bridge.data.shown_images import UnusableImageError, show_images
from train_bridge.model.images import ImageForm
from train_bridge.tokens.encoder import Encoded
from train_bridge.tokens.tiling import Tiling

PLAIN = ImageForm(height=8, width=8, shorter_side=None, resample=3, mean=(0.5,) * 3, std=(0.5,) * 3)


def png(width: int, height: int, colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, "PNG")
    return buffer.getvalue()


def document(images: tuple[int, ...], grids: dict[int, tuple[int, int]] | None = None) -> Encoded:
    empty = np.zeros(0, dtype=np.int32)
    return Encoded(ids=empty, labelled=empty.astype(bool), breaks=empty, images=images, grids=grids or {})


def with_tiling(mode: str) -> ImageForm:
    tiling = Tiling(mode="s2" if mode == "s2" else "tiles", size_px=8, scales=(1, 2))
    return ImageForm(height=8, width=8, shorter_side=None, resample=3, mean=(0.5,) * 3, std=(0.5,) * 3, tiling=tiling)


STORED = {0: png(16, 8, "red"), 1: png(8, 8, "blue")}


def test_without_tiling_each_place_is_an_image() -> None:
    shown = show_images(document((1, 0)), range(2), images=STORED, form=PLAIN)
    assert [one[:, 0, 0].tolist() for one in shown.pixels] == [[0, 0, 255], [255, 0, 0]]
    assert shown.grids == []


def test_a_sample_may_begin_amid_the_tiles_of_an_image() -> None:
    left, right = Image.new("RGB", (16, 8), "red"), Image.new("RGB", (8, 8), "green")
    left.paste(right, (8, 0))
    buffer = io.BytesIO()
    left.save(buffer, "PNG")
    encoded = document((0, 0, 0, 1), {0: (1, 2), 1: (1, 1)})
    shown = show_images(encoded, range(1, 4), images={0: buffer.getvalue(), 1: STORED[1]}, form=with_tiling("tiles"))
    assert [one[:, 4, 7].tolist() for one in shown.pixels] == [[0, 128, 0], [0, 128, 0], [0, 0, 255]]


def test_scales_come_as_a_whole_with_their_grid() -> None:
    encoded = document((0, 0, 1, 1), {0: (1, 2), 1: (2, 1)})
    shown = show_images(encoded, range(4), images=STORED, form=with_tiling("s2"))
    assert len(shown.pixels) == (1 + 2) * 2
    assert shown.grids == [(1, 2), (2, 1)]
    with pytest.raises(UnusableImageError, match="image 1: a sample ends inside its 2 crops"):
        show_images(encoded, range(3), images=STORED, form=with_tiling("s2"))


def test_what_does_not_decode_is_named() -> None:
    with pytest.raises(UnusableImageError, match="image 0: "):
        show_images(document((0,)), range(1), images={0: b"x"}, form=PLAIN)
    with pytest.raises(KeyError):
        show_images(document((0,)), range(1), images={}, form=PLAIN)
