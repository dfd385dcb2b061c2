import io
import logging

import numpy as np
import pytest
from PIL import Image

from curate.contract.schemas import IMAGE_MEASURES, IMAGES, check_schema, table_from_rows
from curate.measure.image import decode_luma, measure_images
from tests.curate.measure.test_pdq import hamming_distance


def picture(side_px: int) -> Image.Image:
    """A colour picture of rounded patches, the same at any size."""
    y, x = np.mgrid[0:side_px, 0:side_px] / side_px
    waves = [np.sin(19 * x + 14 * y * y), np.cos(27 * y - 13 * x * y), np.sin(15 * (x + y))]
    return Image.fromarray(((np.tanh(4 * np.stack(waves, axis=-1)) + 1) * 127).astype(np.uint8))


def jpeg(image: Image.Image, *, quality: int = 95) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def image_row(position: int, data: bytes | None, *, status: str = "ok") -> dict[str, object]:
    return {"doc_id": "d", "position": position, "image_url": "http://h/i", "status": status, "data": data}


def test_a_row_per_fetched_image() -> None:
    rows = [image_row(0, jpeg(picture(96))), image_row(2, None, status="http_404"), image_row(3, jpeg(picture(200)))]
    measured = measure_images(table_from_rows(rows, IMAGES))
    check_schema(measured, IMAGE_MEASURES, where="test")
    assert measured["position"].to_pylist() == [0, 3]
    first, second = measured["pdq_hash"].to_pylist()
    assert hamming_distance(first, second) <= 31
    assert all(quality > 0 for quality in measured["pdq_quality"].to_pylist())


def test_no_images_give_no_rows() -> None:
    measured = measure_images(IMAGES.empty_table())
    check_schema(measured, IMAGE_MEASURES, where="test")
    assert measured.num_rows == 0


@pytest.mark.parametrize("data", [b"", b"no image", jpeg(picture(96))[:500]])
def test_a_broken_image_has_null_measures_and_is_named(data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)  # a Dask cluster of another test may have raised pytest's handler to errors
    measured = measure_images(table_from_rows([image_row(7, data)], IMAGES))
    assert measured.to_pylist() == [{"doc_id": "d", "position": 7, "pdq_hash": None, "pdq_quality": None}]
    assert "image d:7" in caplog.text


def test_brightness_is_that_of_the_colours() -> None:
    luma = decode_luma(jpeg(Image.new("RGB", (16, 16), (200, 100, 50))))
    assert luma.shape == (16, 16)
    assert luma == pytest.approx(np.full((16, 16), 0.299 * 200 + 0.587 * 100 + 0.114 * 50), abs=1.5)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_jpegs_of_other_modes(mode: str) -> None:
    assert decode_luma(jpeg(picture(32).convert(mode))).shape == (32, 32)


@pytest.mark.parametrize(("side_px", "decoded_px"), [(384, 384), (767, 767), (768, 384), (1600, 400)])
def test_large_jpegs_are_decoded_at_a_reduced_size(side_px: int, decoded_px: int) -> None:
    assert decode_luma(jpeg(picture(side_px))).shape == (decoded_px, decoded_px)


def test_the_shorter_side_decides_the_reduction() -> None:
    assert decode_luma(jpeg(picture(800).resize((3000, 800)))).shape == (400, 1500)
