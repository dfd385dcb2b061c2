import json
import os
from pathlib import Path

import fsspec
import pytest

from curate.contract.reasons import IngestReason, Kind
from curate.contract.records import Document, Fault
from curate.ingest.config import FolderSource
from curate.ingest.readers import expand_paths, open_image_root, read_file

Shown = tuple[str | None, bytes | str | None, str | None]


def read(path: str, **options: str) -> list[Document | Fault]:
    source = FolderSource.model_validate({"name": "s", "path": path} | options)
    root = open_image_root(source, base="/", path=path, max_bytes=10)
    return list(read_file(path, source=source, label="in", root=root))


def shown(record: Document | Fault) -> Shown:
    assert isinstance(record, Document)
    image, text = record.items
    return (
        image.image_url,
        image.image_bytes if image.image_fault is None else str(image.image_fault.status),
        text.text,
    )


def put(folder: Path, **files: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name.replace("_", ".")).write_bytes(data)
    return folder


def test_captions_stand_beside_their_pictures(tmp_path: Path) -> None:
    put(tmp_path, a_jpg=b"A", a_txt=b" a cat\n", b_PNG=b"B", b_json=b'{"caption": "a dog", "w": 3}')
    put(tmp_path / "below", a_jpg=b"C", a_cap=b"c", a_json=b'{"caption": "other", "w": 4}')
    first, second, third = read(str(tmp_path))
    assert [shown(one) for one in (first, second, third)] == [
        ("file:a.jpg", b"A", "a cat"),
        ("file:b.PNG", b"B", "a dog"),
        ("file:below/a.jpg", b"C", "c"),
    ]
    assert isinstance(second, Document)
    assert isinstance(third, Document)
    assert (second.kind, second.ordinal, second.native_id) == (Kind.PAIR, "in#2", "b.PNG")
    assert (second.meta, third.meta["w"]) == ({"w": 3, "path": "b.PNG"}, 4)


def test_a_list_of_captions(tmp_path: Path) -> None:
    put(tmp_path, a_jpg=b"A", a_txt=b"t", a_json=b'{"said": ["one", " ", "two"]}')
    first, second = read(str(tmp_path), text_column="said")
    assert [shown(first)[2], shown(second)[2]] == ["one", "two"]
    assert len({first.ordinal, second.ordinal}) == 2
    (first,) = read(str(tmp_path), text_column="said", captions="first")
    assert shown(first)[2] == "one"


@pytest.mark.parametrize(
    ("files", "reason", "what"),
    [
        ({"a_jpg": b"A"}, IngestReason.EMPTY_DOCUMENT, "a.jpg: no caption beside it"),
        ({"a_jpg": b"A", "a_txt": b""}, IngestReason.EMPTY_DOCUMENT, "a.txt: empty_body"),
        ({"a_jpg": b"A", "a_txt": b" "}, IngestReason.EMPTY_DOCUMENT, "a.txt is empty"),
        ({"a_jpg": b"A", "a_txt": b"\xff"}, IngestReason.MALFORMED_RECORD, "a.txt is not UTF-8"),
        ({"a_jpg": b"A", "a_json": b"{"}, IngestReason.MALFORMED_RECORD, "a.json does not parse"),
        ({"a_jpg": b"A", "a_json": b"[" * 100_000}, IngestReason.MALFORMED_RECORD, "a.json does not parse"),
        ({"a_jpg": b"A", "a_json": b'{"x": 1}'}, IngestReason.MALFORMED_RECORD, "no column"),
        ({"a_jpg": b"A", "a_json": b'{"text": []}'}, IngestReason.EMPTY_DOCUMENT, "text is empty"),
    ],
)
def test_a_picture_without_its_caption_is_a_fault(
    tmp_path: Path, files: dict[str, bytes], reason: IngestReason, what: str
) -> None:
    (fault,) = read(str(put(tmp_path, **files)))
    assert isinstance(fault, Fault)
    assert fault.reason is reason
    assert what in fault.detail


def test_nothing_falls_through(tmp_path: Path) -> None:
    put(tmp_path, a_jpg=b"A", a_txt=b"t", b_txt=b"alone", c_pdf=b"P", d_pdf=b"P", README=b"r")
    (tmp_path / "elsewhere").symlink_to(tmp_path.parent)
    linked, _, alone, others = read(str(tmp_path))
    details = [one.detail for one in (linked, alone, others) if isinstance(one, Fault)]
    assert [detail.partition(": ")[2] for detail in details] == [
        "elsewhere: a link to a folder, which is not followed",
        "b.txt: no picture beside it",
        "3 files are neither pictures nor captions: 2 .pdf, 1 .readme",
    ]


def test_what_leads_out_or_is_no_file_costs_its_image_or_caption(tmp_path: Path) -> None:
    put(tmp_path, secret_jpg=b"S", secret_txt=b"s")
    inside = put(tmp_path / "in", a_txt=b"a", b_txt=b"b", c_txt=b"c", d_jpg=b"D", c_jpg=b"C" * 11)
    (inside / "a.jpg").symlink_to("../secret.jpg")
    os.mkfifo(inside / "b.jpg")
    (inside / "d.txt").symlink_to("../secret.txt")
    first, second, third, fault = read(str(inside))
    assert [shown(one)[1] for one in (first, second, third)] == ["outside_root", "not_a_file", "too_large"]
    assert isinstance(fault, Fault)
    assert "d.txt: outside_root" in fault.detail


def test_a_folder_of_a_store_and_globs_of_folders(tmp_path: Path) -> None:
    for name, data in (("a.jpg", b"A"), ("a.json", json.dumps({"text": "t"}).encode())):
        with fsspec.open(f"memory://folders/x/{name}", "wb") as stream:
            stream.write(data)
    (document,) = read("memory://folders/x")
    assert shown(document) == ("file:a.jpg", b"A", "t")
    assert expand_paths(FolderSource(name="s", path="memory://folders/*"), base="/") == ["memory:///folders/x"]
    put(tmp_path / "x", a_jpg=b"A")
    put(tmp_path, b_jpg=b"B")
    assert expand_paths(FolderSource(name="s", path="*"), base=str(tmp_path)) == [str(tmp_path / "x")]


def test_a_folder_that_is_none_is_a_fault(tmp_path: Path) -> None:
    put(tmp_path, a_txt=b"t")
    (tmp_path / "empty").mkdir()
    for name in ("none", "a.txt", "empty"):
        (fault,) = read(str(tmp_path / name))
        assert isinstance(fault, Fault)
        assert fault.reason in {IngestReason.UNREADABLE_FILE, IngestReason.MISSING_FILE}


def test_without_a_root_only_captions_are_read(tmp_path: Path) -> None:
    path = str(put(tmp_path, a_jpg=b"A", a_txt=b"t"))
    (document,) = read_file(path, source=FolderSource(name="s", path=path), label="in")
    assert isinstance(document, Document)
    assert (document.items[0].image_bytes, document.items[0].image_fault) == (None, None)
