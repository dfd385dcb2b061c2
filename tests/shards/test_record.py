import json
from typing import Any

import pytest

from shards.record import parse_record, record_images
from shards.sample import encode_sample
from tests.shards.conftest import MakeSample

LICENSE = {"id": "MIT", "url": "https://h/", "text": "MIT", "stated_in": "x"}


def record_of(sample: Any) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(encode_sample(sample)[0][1])
    return record


def test_what_the_writer_makes_fits_the_schema(make_sample: MakeSample) -> None:
    record, faults = parse_record(encode_sample(make_sample(0))[0][1])
    assert faults == []
    assert record is not None
    assert [image.part for image in record_images(record)] == ["0.jpg", "1.jpg"]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["doc_id"], 5, "json doc_id: "),
        (["kind"], "video", "json kind: "),
        (["extra"], 1, "json extra: "),
        (["provenance"], {"file": "a", "row": 0}, "json provenance.row: "),
        (["provenance"], {"place": "a"}, "json provenance.place: "),
        (["provenance"], {"fetched_at": "yesterday"}, "json provenance.fetched_at: "),
        (["license"], LICENSE | {"id": "<b>"}, "json license.id: "),
        (["license"], LICENSE | {"url": "javascript:x"}, "json license.url: "),
        (["license"], LICENSE | {"text": "x" * 201}, "json license.text: "),
        (["items", 0, "type"], "sound", "json items.0: "),
        (["items", 0, "role"], "robot", "json items.0.text.role: "),
        (["items", 1, "width"], 0, "json items.1.image.width: "),
        (["items", 1, "matched_sim"], 2.0, "json items.1.image.matched_sim: "),
        (["items", 1, "sha256"], "xyz", "json items.1.image.sha256: "),
        (["items", 1, "part"], "7.jpg", "json: image 0 names part 7.jpg instead of 0.jpg"),
        (["items", 1, "matched_item"], 2, "json: 0.jpg is matched to item 2, which is no text item"),
        (["items", 1, "matched_item"], -1, "json: 0.jpg is matched to item -1, which is no text item"),
        (["scores", "best_sim"], [0.5], "json: scores.best_sim has 1 values for 2 images"),
        (["scores", "similarity"], [[0.5]] * 3, "json: scores.similarity has 3 values for 2 images"),
    ],
)
def test_each_departure_is_named(make_sample: MakeSample, path: list[str | int], value: object, message: str) -> None:
    record = record_of(make_sample(0))
    place: Any = record
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    _, faults = parse_record(json.dumps(record).encode())
    assert len(faults) == 1
    assert faults[0].startswith(message)


def test_origin_and_licence_fit_the_schema(make_sample: MakeSample) -> None:
    record = record_of(make_sample(0)) | {
        "provenance": {"file": "a", "row": 1, "record": 2, "caption": 3, "fetched_at": "2026-01-02T03:04:05Z"},
        "license": LICENSE,
    }
    record["items"][1]["fetched_at"] = "2026-01-02T03:04:05Z"
    assert parse_record(json.dumps(record).encode())[1] == []


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff\xfe"])
def test_what_is_no_record_at_all_is_named(data: bytes) -> None:
    record, faults = parse_record(data)
    assert record is None
    assert faults
