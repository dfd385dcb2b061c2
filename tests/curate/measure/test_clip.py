import logging
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from curate.contract.schemas import CLIP_MEASURES, IMAGES, ITEMS, check_schema, table_from_rows
from curate.measure.clip import measure_clip

VECTORS = {
    "north": (0.0, 1.0),
    "east": (1.0, 0.0),
    "north-east": (0.6, 0.8),
    "broken": (np.nan, np.nan),
}


class CompassEncoder:
    """Knows four directions, written as text or as an image's bytes, and counts what it is asked."""

    def __init__(self) -> None:
        self.texts_asked: list[str] = []

    def encode_images(self, images: Sequence[bytes]) -> npt.NDArray[np.float32]:
        return self._look_up([bytes(image).decode() for image in images])

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.texts_asked.extend(texts)
        return self._look_up(texts)

    def _look_up(self, names: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.array([VECTORS[name] for name in names], dtype=np.float32).reshape(len(names), 2)


def make_tables(*rows: tuple[str, int, str, str | None]) -> tuple[pa.Table, pa.Table]:
    """ITEMS and IMAGES of rows (doc_id, position, "text" or a fetch status, content); alt text by ``content|alt``."""
    items: list[dict[str, object]] = []
    images: list[dict[str, object]] = []
    for doc_id, position, what, content in rows:
        key: dict[str, object] = {"doc_id": doc_id, "position": position}
        if what == "text":
            items.append({**key, "modality": "text", "text": content})
            continue
        data, _, alt_text = (content or "").partition("|")
        items.append({**key, "modality": "image", "image_url": "http://h/i", "alt_text": alt_text})
        images.append({**key, "image_url": "http://h/i", "status": what, "data": data.encode() if data else None})
    return table_from_rows(items, ITEMS), table_from_rows(images, IMAGES)


def test_images_are_compared_with_the_text_of_their_document() -> None:
    items, images = make_tables(
        ("d1", 0, "text", "north"),
        ("d1", 1, "ok", "east|north-east"),
        ("d1", 2, "text", "north-east"),
        ("d2", 0, "ok", "north"),
        ("d2", 1, "text", "east"),
    )
    measured = measure_clip(items, images, encoder=CompassEncoder())
    check_schema(measured, CLIP_MEASURES, where="test")
    first, second = measured.to_pylist()
    assert (first["doc_id"], first["position"], second["doc_id"], second["position"]) == ("d1", 1, "d2", 0)
    assert first["embedding"] == [1.0, 0.0]
    assert first["similarity"] == [0.0, float(np.float16(0.6))]
    assert first["best_sim"] == first["alt_sim"] == float(np.float16(0.6))
    assert second["similarity"] == [0.0]
    assert second["best_sim"] == 0.0
    assert second["alt_sim"] is None


def test_each_distinct_text_is_encoded_once_and_only_where_there_is_an_image() -> None:
    items, images = make_tables(
        ("d1", 0, "text", "north"),
        ("d1", 1, "ok", "east|north"),
        ("d2", 0, "text", "north"),
        ("d2", 1, "ok", "east"),
        ("d3", 0, "text", "never asked"),
        ("d3", 1, "http_404", None),
    )
    encoder = CompassEncoder()
    assert measure_clip(items, images, encoder=encoder).num_rows == 2
    assert encoder.texts_asked == ["north"]


def test_without_text_there_is_no_best() -> None:
    items, images = make_tables(("d1", 0, "ok", "north"))
    (row,) = measure_clip(items, images, encoder=CompassEncoder()).to_pylist()
    assert row == {
        "doc_id": "d1",
        "position": 0,
        "embedding": [0, 1],
        "similarity": [],
        "best_sim": None,
        "alt_sim": None,
    }


@pytest.mark.parametrize("blank", [None, "", " \n"])
def test_a_blank_text_keeps_its_place_and_is_null(blank: str | None) -> None:
    items, images = make_tables(("d1", 0, "text", blank), ("d1", 1, "text", "north"), ("d1", 2, "ok", "north| "))
    (row,) = measure_clip(items, images, encoder=CompassEncoder()).to_pylist()
    assert row["similarity"] == [None, 1.0]
    assert (row["best_sim"], row["alt_sim"]) == (1.0, None)


def test_only_blank_text_gives_no_best() -> None:
    items, images = make_tables(("d1", 0, "text", " "), ("d1", 1, "ok", "north"))
    (row,) = measure_clip(items, images, encoder=CompassEncoder()).to_pylist()
    assert (row["similarity"], row["best_sim"]) == ([None], None)


def test_an_image_that_does_not_decode_has_no_row_and_is_named(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)  # a Dask cluster of another test may have raised pytest's handler to errors
    items, images = make_tables(("d1", 0, "text", "east"), ("d1", 1, "ok", "broken"), ("d1", 2, "ok", "east"))
    measured = measure_clip(items, images, encoder=CompassEncoder())
    assert measured["position"].to_pylist() == [2]
    assert measured["best_sim"].to_pylist() == [1.0]
    assert "image d1:1" in caplog.text


def test_the_best_is_one_of_the_stored_values() -> None:
    items, images = make_tables(("d1", 0, "text", "north-east"), ("d1", 1, "ok", "north"))
    measured = measure_clip(items, images, encoder=CompassEncoder())
    assert measured["best_sim"].to_pylist() == measured["similarity"].to_pylist()[0] == [float(np.float16(0.8))]


@pytest.mark.parametrize("status", [None, "timeout"])
def test_no_fetched_images_give_no_rows(status: str | None) -> None:
    rows = [("d1", 0, "text", "north")] + ([("d1", 1, status, None)] if status else [])
    items, images = make_tables(*rows)
    measured = measure_clip(items, images, encoder=CompassEncoder())
    check_schema(measured, CLIP_MEASURES, where="test")
    assert measured.num_rows == 0
