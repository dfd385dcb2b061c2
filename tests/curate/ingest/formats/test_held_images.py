import base64
from typing import Any

import pytest

from curate.contract.records import Document
from curate.ingest.config import PairsSource
from curate.ingest.files.faults import ColumnError, Place, RecordError
from curate.ingest.files.row import Row
from curate.ingest.formats.pairs import read_pair_row

DATA = b"\xff\xd8\xff" + bytes(range(100))


def read(fields: dict[str, Any], **options: str) -> Document:
    source = PairsSource.model_validate({"name": "s", "path": "a"} | options)
    (document,) = read_pair_row(Row(place=Place(label="a", number=3), fields=fields), source=source)
    return document


@pytest.mark.parametrize(
    "fields",
    [
        {"image": DATA},
        {"IMG": {"bytes": DATA, "path": "1.jpg"}},
        {"image_base64": base64.b64encode(DATA).decode()},
        {"image": "data:image/jpeg;base64," + base64.b64encode(DATA).decode()},
    ],
)
def test_an_image_in_its_row_needs_no_url(fields: dict[str, Any]) -> None:
    document = read(fields | {"text": "a cat"})
    assert document.items[0].image_bytes == DATA
    assert (document.items[0].image_url, document.native_id) == ("held:a#3", "held:a#3")
    assert document.items[1].text == "a cat"
    assert document.meta == {}


def test_its_url_is_kept_where_there_is_one() -> None:
    document = read({"image": DATA, "url": "http://h/1.jpg", "text": "a"})
    assert (document.items[0].image_bytes, document.items[0].image_url) == (DATA, "http://h/1.jpg")


@pytest.mark.parametrize("image", ["http://h/1.jpg", "1.jpg", None, 7, {"path": "1.jpg"}, b""])
def test_what_is_no_image_leaves_the_url(image: object) -> None:
    document = read({"image": image, "url": "http://h/2.jpg", "text": "a"})
    assert (document.items[0].image_bytes, document.items[0].image_url) == (None, "http://h/2.jpg")


def test_a_column_that_the_recipe_names_must_hold_images() -> None:
    with pytest.raises(RecordError, match="pic holds no image"):
        read({"pic": "http://h/1.jpg", "url": "http://h/1.jpg", "text": "a"}, image_column="pic")
    with pytest.raises(ColumnError, match="no column 'pic'"):
        read({"url": "http://h/1.jpg", "text": "a"}, image_column="pic")
    assert read({"pic": DATA, "text": "a"}, image_column="pic").items[0].image_bytes == DATA
