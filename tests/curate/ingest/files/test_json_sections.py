import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.contract.records import Fault
from curate.ingest.files import json_sections
from curate.ingest.files.json_sections import has_sections, read_section

DATA = {
    "info": {"a": [{"images": [{"id": 9}]}], "url": '"]}\\'},
    "images": [{"id": 1, "t": 'a "quoted" ]} \\'}, {"id": 2, "n": {"m": [1, {}]}}],
    "licenses": [{"id": 3}],
    "annotations": [],
}


def section(data: bytes, key: str = "images", *, max_bytes: int = 1000) -> list[object]:
    rows = read_section(io.BufferedReader(io.BytesIO(data)), key, label="a", max_bytes=max_bytes)
    return [row.detail if isinstance(row, Fault) else row.fields for row in rows]


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("chunk_bytes", [1, 7, 100_000])
def test_the_objects_of_one_array(monkeypatch: pytest.MonkeyPatch, chunk_bytes: int, indent: int | None) -> None:
    monkeypatch.setattr(json_sections, "_CHUNK_BYTES", chunk_bytes)
    data = json.dumps(DATA, indent=indent).encode()
    assert section(data) == DATA["images"]
    assert section(data, "licenses") == DATA["licenses"]
    assert section(data, "annotations") == []
    assert section(data, "none") == ["a: there is no such array"]


def test_places_are_lines_of_the_file() -> None:
    data = b'{\n"info": 1,\n"images": [\n{"id": 1},\n{"id": 2}, {"id": 3}]}'
    rows = read_section(io.BufferedReader(io.BytesIO(data)), "images", label="a")
    assert [row.place.ordinal for row in rows if not isinstance(row, Fault)] == ["a#4", "a#5", "a#5.2"]


def test_what_is_broken_or_huge_is_a_fault() -> None:
    assert section(b'{"images": [{"id": 1}, 7, {"id": 2}') == [
        {"id": 1},
        "a:1: expected a JSON object, got a number",
        {"id": 2},
        "a:1: the JSON array is not closed: the file ends early",
    ]
    data = json.dumps({"images": [{"id": "x" * 2000}, {"id": 2}]}).encode()
    assert section(data) == ["a:1: value is longer than 1000 bytes", {"id": 2}]


@given(st.lists(st.sampled_from([b'"', b"{", b"[", b"]", b"}", b"\\", b",", b":", b"\n", b'"images"', b"1"])))
def test_no_bytes_raise(pieces: list[bytes]) -> None:
    section(b'{"images": [' + b"".join(pieces))
    has_sections(b"{" + b"".join(pieces), ("images",), others=())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"info": {}, "images": [{"id": 1}], "annotations": [{"id": 1}]}', True),
        ('\ufeff{"images": [ {"id": 1, ', True),
        ('{"images": [{"id": 1}]}\n{"images": [{"id": 1}]}', False),
        ('{"images": ["a"], "annotations": ["b"]}', False),
        ('{"url": "u", "images": [{"id": 1}], "annotations": [{"id": 1}]}', False),
        ('[{"images": [{"id": 1}], "annotations": [{"id": 1}]}]', False),
        ('{"a": {"images": [{"id": 1}], "annotations": [{"id": 1}]', False),
        ("", False),
    ],
)
def test_such_an_object_is_known_by_its_beginning(text: str, expected: bool) -> None:  # noqa: FBT001
    assert has_sections(text.encode(), ("images", "annotations"), others={"url"}) is expected
