import json
from dataclasses import replace
from pathlib import Path

import pytest

from curate.contract.reasons import IngestReason, Kind, Modality
from curate.contract.records import Document, Fault
from curate.ingest.config import WebdatasetSource
from curate.ingest.readers import read_file
from shards.sample import Sample, SampleImage, SampleText
from shards.writer import write_shard
from tests.curate.ingest.files.test_tars import tar


def read(folder: Path, data: bytes, **options: str) -> list[Document | Fault]:
    path = folder / "a.tar"
    path.write_bytes(data)
    source = WebdatasetSource.model_validate({"name": "s", "path": str(path)} | options)
    return list(read_file(str(path), source=source, label="a.tar"))


def contents(record: Document | Fault) -> list[str | bytes | None]:
    assert isinstance(record, Document)
    return [item.image_bytes or item.text for item in record.items]


def test_pairs_of_img2dataset_are_read_with_their_images(tmp_path: Path) -> None:
    record = {"url": "http://h/1.jpg", "caption": "other", "key": "0", "status": "success", "width": 3}
    first, second = read(
        tmp_path,
        tar(
            ("0.jpg", b"J"),
            ("0.txt", b" a cat\n"),
            ("0.json", json.dumps(record).encode()),
            ("1.png", b"P"),
            ("1.cap", b"c"),
        ),
    )
    assert (contents(first), contents(second)) == ([b"J", "a cat"], [b"P", "c"])
    assert isinstance(first, Document)
    assert isinstance(second, Document)
    assert (first.kind, first.native_id, first.items[0].image_url) == (Kind.PAIR, "http://h/1.jpg", "http://h/1.jpg")
    assert second.items[0].image_url == "held:a.tar#2/png"
    assert first.meta["width"] == 3


@pytest.mark.parametrize(
    ("members", "options", "reason"),
    [
        ((("0.txt", b"t"),), {}, IngestReason.MALFORMED_RECORD),
        ((("0.jpg", b"J"),), {}, IngestReason.EMPTY_DOCUMENT),
        ((("0.jpg", b"J"), ("0.txt", b" ")), {}, IngestReason.EMPTY_DOCUMENT),
        ((("0.jpg", b"J"), ("0.txt", b"\xff")), {}, IngestReason.MALFORMED_RECORD),
        ((("0.jpg", b"J"), ("0.json", b"{")), {}, IngestReason.MALFORMED_RECORD),
        ((("0.jpg", b"J"), ("0.txt", b"t")), {"text_column": "title"}, IngestReason.EMPTY_DOCUMENT),
    ],
)
def test_what_is_no_pair_is_a_fault(
    tmp_path: Path, members: tuple[tuple[str, bytes], ...], options: dict[str, str], reason: IngestReason
) -> None:
    (fault,) = read(tmp_path, tar(*members), **options)
    assert isinstance(fault, Fault)
    assert fault.reason == reason


def test_text_may_be_a_field_of_the_json(tmp_path: Path) -> None:
    members = (("0.jpg", b"J"), ("0.txt", b"t"), ("0.json", b'{"title": "T", "caption": "c"}'))
    assert contents(*read(tmp_path, tar(*members), text_column="title")) == [b"J", "T"]
    assert contents(*read(tmp_path, tar(members[0], members[2]))) == [b"J", "c"]


def test_shards_of_this_project_come_back_as_they_were(tmp_path: Path) -> None:
    image = SampleImage(data=b"\xff\xd8J", image_id="0" * 64, url="http://h/1.jpg", width=3, height=4, alt="seen")
    items: list[SampleText | SampleImage] = [SampleText("one", role="user"), image, SampleText("two", role="assistant")]
    origin = {"file": "a.txt", "row": 3}
    stated = {"id": None, "url": "https://spdx.org/licenses/MIT", "text": None, "stated_in": "link rel=license"}
    document = Sample(doc_id="0" * 16, kind="interleaved", source="pages", url="http://h/", items=items)
    sample = replace(document, provenance=origin, license=stated, meta={"n": 1})
    write_shard(f"{tmp_path}/00000.tar", [sample], shard=0)
    (found,) = read(tmp_path, (tmp_path / "00000.tar").read_bytes())
    assert isinstance(found, Document)
    assert (found.kind, found.url, found.native_id) == (Kind.INTERLEAVED, "http://h/", "0" * 16)
    assert contents(found) == ["one", b"\xff\xd8J", "two"]
    assert [item.modality for item in found.items] == [Modality.TEXT, Modality.IMAGE, Modality.TEXT]
    assert found.meta == {"provenance": origin, "n": 1}
    assert found.license is not None
    assert (found.license.id, found.license.url) == ("MIT", "https://spdx.org/licenses/MIT")
    assert (found.items[1].image_url, found.items[1].alt_text) == ("http://h/1.jpg", "seen")
    assert [item.role and str(item.role) for item in found.items] == ["user", None, "assistant"]
