import json
from pathlib import Path
from typing import Any

import pytest

from curate.contract.reasons import IngestReason, Kind
from curate.contract.records import Document, Fault
from curate.ingest.config import WebdatasetSource
from curate.ingest.readers import read_file
from tests.curate.ingest.files.test_tars import tar
from tests.curate.ingest.formats.test_webdataset import contents

IMAGES = (("x/k.0.jpg", b"A"), ("x/k.1.jpg", b"B"))


def read(folder: Path, record: Any, *members: tuple[str, bytes], **options: Any) -> list[Document | Fault]:
    path = folder / "a.tar"
    path.write_bytes(tar(*(members or IMAGES), ("x/k.json", json.dumps(record).encode())))
    source = WebdatasetSource.model_validate({"name": "s", "path": str(path)} | options)
    return list(read_file(str(path), source=source, label="a.tar"))


@pytest.mark.parametrize(
    "record",
    [
        {"texts": ["t", None, "u", None], "images": [None, "k.1.jpg", None, "0.jpg"]},
        {"texts": ["t", None, "u", None], "images": [None, 1, None, 0]},
        {"texts": ["t", "", "u", ""], "images": ["", "x/k.1.jpg", "", {"name": "0.jpg"}]},
        {"texts": ["t<image>u", "<image>"], "images": ["1.jpg", "0.jpg"]},
        {"text": "t<image>u<image>", "images": ["1.jpg", "0.jpg"]},
        {"content": [{"type": "text", "text": "t"}, {"type": "image", "image": "k.1.jpg"}, "u", {"image": "0.jpg"}]},
        {"parts": [{"text": "t"}, {"type": "image", "index": 1}, {"type": "text", "value": "u"}, {"image": 0}]},
        {
            "interleaved": [
                {"modality": "text", "content": "t"},
                {"modality": "image", "content": "k.1.jpg"},
                {"modality": "text", "content": "u"},
                {"modality": "image", "content": "k.0.jpg"},
            ]
        },
    ],
)
def test_every_shape_gives_its_order(tmp_path: Path, record: dict[str, Any]) -> None:
    (document,) = read(tmp_path, record | {"lang": "en", "url": "http://page/"})
    assert contents(document) == ["t", b"B", "u", b"A"]
    assert isinstance(document, Document)
    assert (document.kind, document.url, document.native_id) == (Kind.INTERLEAVED, "http://page/", "http://page/")
    assert document.meta == {"lang": "en", "key": "x/k"}
    assert document.items[1].image_url == "held:a.tar#1/1.jpg"


def test_marks_without_names_take_the_images_in_order(tmp_path: Path) -> None:
    (document,) = read(tmp_path, {"caption": "t <image><image> u"})
    assert contents(document) == ["t ", b"A", b"B", " u"]
    (document,) = read(tmp_path, {"content": [{"type": "image"}, {"type": "text", "text": "t"}, "<image>"]})
    assert contents(document) == [b"A", "t", b"B"]


def test_several_images_and_a_text_without_marks_stay_a_pair(tmp_path: Path) -> None:
    (document,) = read(tmp_path, {"caption": "t"})
    assert contents(document) == [b"A", b"B", "t"]
    assert isinstance(document, Document)
    assert document.kind is Kind.PAIR
    (document,) = read(tmp_path, {"caption": "<image>", "segments": [{"bbox": [1]}], "data": ["x"]}, IMAGES[0])
    assert contents(document) == [b"A", "<image>"]
    (document,) = read(tmp_path, {"title": "T", "texts": ["<image>"]}, text_column="title")
    assert contents(document) == [b"A", b"B", "T"]


def test_images_beside_their_json_by_name(tmp_path: Path) -> None:
    record = {"texts": ["t", None, None], "images": [None, "k_1.jpg", "k_0.jpg"]}
    (document,) = read(tmp_path, record, ("x/k_0.jpg", b"A"), ("x/k_1.jpg", b"B"))
    assert contents(document) == ["t", b"B", b"A"]


def test_conversations(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "<image>\nwhat?"}, {"from": "gpt", "value": "a cat"}]
    (document,) = read(tmp_path, {"image": "coco/7.jpg", "conversations": turns}, ("x/k.jpg", b"A"))
    assert contents(document) == [b"A", "what?", "a cat"]
    parts = [{"type": "image", "image": "0.jpg"}, {"type": "text", "text": "q"}]
    said = {"messages": [{"role": "user", "content": parts}, {"role": "assistant", "content": "a"}]}
    document, fault = read(tmp_path, said)
    assert contents(document) == [b"A", "q", "a"]
    assert isinstance(fault, Fault)
    (text,) = read(tmp_path, {"conversations": [turns[0] | {"value": "q"}, turns[1]]}, ("x/k.cls", b"1"))
    assert isinstance(text, Document)
    assert (text.kind, contents(text)) == (Kind.TEXT, ["q", "a cat"])


def test_an_image_that_nothing_refers_to_is_a_fault_beside_the_document(tmp_path: Path) -> None:
    document, fault = read(tmp_path, {"texts": ["t", None], "images": [None, "1.jpg"]})
    assert contents(document) == ["t", b"B"]
    assert isinstance(fault, Fault)
    assert (fault.ordinal, fault.detail) == (
        "a.tar#1/unused",
        "a.tar:1: x/k: nothing refers to 1 of its images: 0.jpg",
    )


@pytest.mark.parametrize(
    ("record", "what"),
    [
        ({"texts": ["t", None], "images": [None, "2.jpg"]}, "image '2.jpg' is not among its members"),
        ({"texts": ["t", None], "images": [None, "http://h/a"]}, "with fetch_absent its address is fetched"),
        ({"texts": ["t"], "images": ["0.jpg", "1.jpg"]}, "2 images, but 1 texts"),
        ({"texts": ["t"], "images": ["0.jpg"]}, "both set"),
        ({"texts": ["<image>t"], "images": ["0.jpg", "1.jpg"]}, "2 images, but 1 times <image>"),
        ({"caption": "<image>"}, "2 images, but 1 times <image>"),
        ({"content": [{"type": "image"}, {"type": "video"}]}, "the type of part 1 is 'video'"),
        ({"content": [{"type": "image"}, 7]}, "part 1 must be an object, not a number"),
        ({"content": [{"text": "t", "image": "0.jpg"}]}, "the type of part 0 is 'None'"),
        ({"texts": [None, None], "images": [None, None]}, "neither text nor images"),
        ({"texts": ["t", None], "images": [None, "../../etc/passwd"]}, "is not among its members"),
    ],
)
def test_what_does_not_fit_is_a_fault(tmp_path: Path, record: dict[str, Any], what: str) -> None:
    (fault,) = read(tmp_path, record)
    assert isinstance(fault, Fault)
    assert fault.reason in {IngestReason.MALFORMED_RECORD, IngestReason.EMPTY_DOCUMENT}
    assert what in fault.detail


def test_an_absent_image_may_be_fetched(tmp_path: Path) -> None:
    record = {"texts": ["t", None, None], "images": [None, "http://h/a", "0.jpg"]}
    (document,) = read(tmp_path, record, IMAGES[0], fetch_absent=True)
    assert isinstance(document, Document)
    assert [(item.image_url, item.image_bytes) for item in document.items[1:]] == [
        ("http://h/a", None),
        ("held:a.tar#1/0.jpg", b"A"),
    ]


def test_names_of_members_are_never_paths(tmp_path: Path) -> None:
    record = {"texts": ["t", None], "images": [None, "../../../etc/x.0.jpg"]}
    path = tmp_path / "a.tar"
    path.write_bytes(tar(("../../../etc/x.0.jpg", b"A"), ("../../../etc/x.json", json.dumps(record).encode())))
    (document,) = read_file(str(path), source=WebdatasetSource(name="s", path="a.tar"), label="a.tar")
    assert contents(document) == ["t", b"A"]
    assert isinstance(document, Document)
    assert document.items[1].image_url == "held:a.tar#1/0.jpg"
