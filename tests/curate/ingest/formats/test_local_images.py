import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from curate.contract.reasons import Modality
from curate.contract.records import Document, Fault
from curate.ingest.config import Source
from curate.ingest.formats import local_images
from curate.ingest.readers import open_image_root, read_file

TURNS = [{"from": "human", "value": "<image>\nwhat?"}, {"from": "gpt", "value": "a cat"}]


def read(folder: Path, record: dict[str, Any], *, max_bytes: int = 100, **options: Any) -> list[Document | Fault]:
    (folder / "coco").mkdir(exist_ok=True)
    (folder / "coco" / "a.jpg").write_bytes(b"J")
    (folder / "b.jpg").write_bytes(b"B" * 60)
    (folder.parent / "secret.jpg").write_bytes(b"S")
    path = folder / "a.jsonl"
    path.write_text(json.dumps(record))
    source: Source = TypeAdapter(Source).validate_python({"name": "s", "path": "a.jsonl"} | options)
    root = open_image_root(source, base=str(folder), path="", max_bytes=max_bytes)
    return list(read_file(str(path), source=source, label="a.jsonl", root=root))


def images(record: Document | Fault) -> list[tuple[str | None, bytes | str | None]]:
    assert isinstance(record, Document)
    return [
        (item.image_url, str(item.image_fault.status) if item.image_fault else item.image_bytes)
        for item in record.items
        if item.modality is Modality.IMAGE
    ]


MANY = {
    "texts": ["<image><image>t<image><image>"],
    "images": ["coco/a.jpg", "../secret.jpg", "c.jpg", "http://h/d.jpg"],
}
HAD = [("file:coco/a.jpg", b"J"), ("file:../secret.jpg", "outside_root"), ("file:c.jpg", "missing_file")]


@pytest.mark.parametrize(
    ("kind", "record", "expected"),
    [
        ("pairs", {"url": "coco/a.jpg", "text": "t"}, HAD[:1]),
        ("pairs", {"url": "file:coco/a.jpg", "text": "t"}, HAD[:1]),
        ("pairs", {"url": "../secret.jpg", "text": "t"}, HAD[1:2]),
        ("instructions", {"image": "coco/a.jpg", "conversations": TURNS}, HAD[:1]),
        ("instructions", {"image": "coco/a.jpg", "image_urls": ["http://h/a"], "conversations": TURNS}, HAD[:1]),
        ("instructions", {"image": "c.jpg", "conversations": TURNS}, HAD[2:]),
        ("interleaved", MANY, [*HAD, ("http://h/d.jpg", None)]),
        (
            "obelics",
            {"texts": ["t", None, None], "images": [None, "coco/a.jpg", "../secret.jpg"], "url": "http://page/"},
            HAD[:2],
        ),
    ],
)
def test_every_type_with_a_root_reads_its_images(
    tmp_path: Path, kind: str, record: dict[str, Any], expected: list[tuple[str, bytes | str]]
) -> None:
    (document,) = read(_folder(tmp_path), record, type=kind, image_root=".")
    assert images(document) == expected


def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir(exist_ok=True)
    return folder


def test_without_a_folder_nothing_is_read_and_the_key_is_named(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    for url in ("coco/a.jpg", f"file://{folder}/coco/a.jpg"):
        (document,) = read(folder, {"url": url, "text": "t"}, type="pairs")
        assert isinstance(document, Document)
        fault = document.items[0].image_fault
        assert fault is not None
        assert (str(fault.status), "image_root" in fault.detail) == ("bad_url", True)
    (refused,) = read(folder, {"image": "coco/a.jpg", "conversations": TURNS}, type="instructions")
    assert isinstance(refused, Fault)
    assert "image_root" in refused.detail
    (document,) = read(folder, {"url": "/a.jpg", "text": "t"}, type="pairs", image_root="https://h/coco")
    assert images(document) == [("https://h/coco/a.jpg", None)]


def test_a_picture_of_several_captions_is_read_once(tmp_path: Path) -> None:
    first, second = read(_folder(tmp_path), {"url": "b.jpg", "captions": ["t", "u"]}, type="pairs", image_root=".")
    assert isinstance(first, Document)
    assert isinstance(second, Document)
    assert first.items[0].image_bytes is second.items[0].image_bytes


def test_sizes_are_bounded_by_picture_and_by_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _folder(tmp_path)
    (document,) = read(folder, {"url": "b.jpg", "text": "t"}, type="pairs", image_root=".", max_bytes=59)
    assert images(document) == [("file:b.jpg", "too_large")]
    monkeypatch.setattr(local_images, "MAX_DOCUMENT_BYTES", 70)
    record = {"texts": ["<image><image><image>t"], "images": ["b.jpg", "b.jpg", "coco/a.jpg"]}
    (document,) = read(folder, record, type="interleaved", image_root=".")
    assert images(document) == [("file:b.jpg", b"B" * 60), ("file:b.jpg", "too_large"), ("file:coco/a.jpg", b"J")]
