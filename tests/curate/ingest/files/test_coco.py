import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest

from curate.contract.records import Document, Fault
from curate.ingest.config import PairsSource
from curate.ingest.files import coco
from curate.ingest.readers import open_image_root, read_file

IMAGES = [
    {"id": 7, "file_name": "7.jpg", "coco_url": "http://h/7.jpg", "flickr_url": "http://f/7.jpg"},
    {"id": "8", "file_name": "8.jpg", "flickr_url": "http://f/8.jpg"},
]
CAPTIONS = [{"id": 1, "image_id": 8, "caption": "a dog"}, {"id": 2, "image_id": 7, "caption": "a cat"}]
MORE = [*CAPTIONS, {"id": 3, "image_id": 7, "caption": "my cat"}]


def read(folder: Path, data: dict[str, Any] | bytes, name: str = "a.json", **options: Any) -> list[Document | Fault]:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    (folder / name).write_bytes(raw)
    source = PairsSource.model_validate({"name": "s", "path": name} | options)
    root = open_image_root(source, base=str(folder), path="", max_bytes=100)
    return list(read_file(str(folder / name), source=source, label=name, root=root))


def shown(records: list[Document | Fault]) -> list[object]:
    return [
        record.detail if isinstance(record, Fault) else tuple(item.image_url or item.text for item in record.items)
        for record in records
    ]


ALL = [("http://f/8.jpg", "a dog"), ("http://h/7.jpg", "a cat"), ("http://h/7.jpg", "my cat")]


@pytest.mark.parametrize("keys", [("images", "annotations"), ("annotations", "images")])
@pytest.mark.parametrize("indent", [None, 2])
def test_captions_find_their_images_wherever_these_stand(
    tmp_path: Path, keys: tuple[str, str], indent: int | None
) -> None:
    whole = {"info": {"year": 2017}} | {key: {"images": IMAGES, "annotations": MORE}[key] for key in keys}
    data = json.dumps(whole, indent=indent).encode()
    records = read(tmp_path, data)
    assert shown(records) == ALL
    assert len({record.ordinal for record in records}) == len(records)
    assert isinstance(records[0], Document)
    assert records[0].meta == {"id": 1, "image_id": 8}
    assert shown(read(tmp_path, gzip.compress(data), "a.json.gz")) == ALL


def test_options_of_pairs_hold(tmp_path: Path) -> None:
    whole = {"images": IMAGES, "annotations": MORE}
    assert shown(read(tmp_path, whole, captions="first")) == ALL[:2]
    assert shown(read(tmp_path, whole, url_column="flickr_url"))[1] == ("http://f/7.jpg", "a cat")
    assert shown(read(tmp_path, whole, image_root="http://r/val"))[1] == ("http://r/val/7.jpg", "a cat")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "7.jpg").write_bytes(b"J")
    dog, cat, _ = read(tmp_path, whole, image_root="pictures")
    assert isinstance(dog, Document)
    assert isinstance(cat, Document)
    assert (cat.items[0].image_bytes, cat.items[0].image_url) == (b"J", "file:7.jpg")
    assert str(dog.items[0].image_fault and dog.items[0].image_fault.status) == "missing_file"


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    images = [*IMAGES, IMAGES[0], {"id": None}, {"id": 9}, {"id": 10, "file_name": "10.jpg"}]
    annotations = [*CAPTIONS, {"image_id": 11, "caption": "x"}, {"caption": "x"}, {"image_id": 7, "caption": " "}]
    found = shown(read(tmp_path, {"images": images, "annotations": annotations}))
    assert [one for one in found if isinstance(one, str)] == [
        "a.json/images:1: the id '7' is there twice",
        "a.json/images:1: an image's id must be a number or a string, not null",
        "a.json/images:1: the image '9' has no coco_url or flickr_url or url or image_url or file_name",
        "a.json/annotations:1: no image has the id '11'",
        "a.json/annotations:1: no image has the id 'None'",
        "a.json/annotations:1: caption is empty",
        "a.json: the image '10' has no caption",
    ]
    assert ALL[0] in found


def test_boxes_instead_of_captions_are_one_fault(tmp_path: Path) -> None:
    boxes = [{"image_id": 7, "bbox": [1]}, {"image_id": 8, "bbox": [1]}]
    (fault,) = read(tmp_path, {"images": IMAGES, "annotations": boxes})
    assert isinstance(fault, Fault)
    assert fault.detail.startswith("a.json/annotations: no column 'text'")


def test_the_table_of_images_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coco, "MAX_IMAGES_BYTES", 300)
    (fault,) = shown(read(tmp_path, {"images": IMAGES, "annotations": MORE}))
    assert "more images than are kept" in str(fault)


def test_a_file_that_breaks_off_says_so(tmp_path: Path) -> None:
    data = json.dumps({"images": IMAGES, "annotations": MORE}).encode()
    assert shown(read(tmp_path, data[:-20]))[-1] == (
        "a.json/annotations:1: the JSON array is not closed: the file ends early"
    )


def test_a_large_file_is_read_by_its_beginning(tmp_path: Path) -> None:
    letters = random.Random(0)
    images = [{"id": i, "file_name": f"{letters.random()}.jpg", "coco_url": f"http://h/{i}"} for i in range(6000)]
    captions = [{"image_id": i, "caption": "c"} for i in range(6000)]
    records = read(tmp_path, {"images": images, "annotations": captions})
    assert shown(records[:1] + records[-1:]) == [("http://h/0", "c"), ("http://h/5999", "c")]
    assert len(records) == 6000
