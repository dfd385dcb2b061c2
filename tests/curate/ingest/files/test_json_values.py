import io
import json
from unittest.mock import patch

import pytest

from curate.contract.records import Fault
from curate.ingest.files import json_values
from curate.ingest.files.json_values import has_spread_values, read_json_values
from curate.ingest.files.row import Row

_RECORDS = [{"a": 'x"[{\\', "b": [[1], {"c": {}}]}, {}, {"é": "橋\n"}]


def _read(data: bytes, *, max_bytes: int = 1000) -> list[tuple[str, object]]:
    rows = list(read_json_values(io.BytesIO(data), label="a", max_bytes=max_bytes))
    return [(row.ordinal, row.detail) if isinstance(row, Fault) else (row.place.ordinal, row.fields) for row in rows]


@pytest.mark.parametrize("chunk_bytes", [1, 2, 7, 1 << 16])
@pytest.mark.parametrize("indent", [None, 0, 2])
def test_arrays_however_they_are_printed(chunk_bytes: int, indent: int | None) -> None:
    for is_ascii in (True, False):
        text = json.dumps(_RECORDS, indent=indent, ensure_ascii=is_ascii)
        with patch.object(json_values, "_CHUNK_BYTES", chunk_bytes):
            assert [fields for _, fields in _read(text.encode())] == _RECORDS


def test_records_are_told_apart_by_line_and_place_in_it() -> None:
    assert [place for place, _ in _read(b"[{}, {}\n,\n{\n}, {}]\n{} [{}]")] == [
        "a#1",
        "a#1.2",
        "a#3",
        "a#4",
        "a#5",
        "a#5.2",
    ]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b'[{"a" 1}, {}]', [("a#1", "a:1: malformed JSON: Expecting ':' delimiter at column 6"), ("a#1.2", {})]),
        (b'[7, "x,]", {}]', [("a#1", "a:1: expected a JSON object, got a number"), ("a#1.2", "string"), ("a#1.3", {})]),
        (b'[{"a": "open},\n{"a": 1}, {}', [("a#1", "malformed"), ("a", "not closed")]),
        (b"[{\xff}, {}]", [("a#1", "a:1: not UTF-8: byte 0xff"), ("a#1.2", {})]),
        (b'[{"a": "' + b"x" * 2000 + b'"}, {}]', [("a#1", "a:1: value is longer than 1000 bytes"), ("a#1.2", {})]),
        (b"[{}", [("a#1", {}), ("a", "a:1: the JSON array is not closed: the file ends early")]),
        (b'{"a": {', [("a#1", "the file ends within the value that begins here")]),
        (b"[{}]}", [("a#1", {}), ("a#1.2", "malformed")]),
    ],
)
def test_damage_is_a_fault_at_its_place(data: bytes, found: list[tuple[str, object]]) -> None:
    got = _read(data)
    assert [place for place, _ in got] == [place for place, _ in found]
    for (_, value), (_, expected) in zip(got, found, strict=True):
        assert expected in value if isinstance(expected, str) and isinstance(value, str) else value == expected


def test_depth_is_bounded() -> None:
    deep = b"[{}," + b'{"a":[' * 100_000 + b"]}" * 100_000 + b", {}]"
    assert [type(value) for _, value in _read(deep, max_bytes=1 << 20)] == [dict, str, dict]


def test_spread_values_are_told_from_lines() -> None:
    for text in (
        b"[{",
        b'\n[{"a": 1}, {"a": 2}]',
        b'[\n {\n "a": 1',
        b"{\n",
        b'{"a": 1,\n"b": 2}',
        b'[{"a": 1},\n{"a": 2}]',
    ):
        assert has_spread_values(text), text
    for text in (
        b"",
        b'{"a": 1}\n',
        b'{"a":\n{"a": 1}',
        b'{"a": 1}\n7',
        b'[\n{"a": 1},\n',
        b"[\n]",
        b"[1]\n[2]",
        b"[" * 1000,
        b"7",
    ):
        assert not has_spread_values(text), text


def test_a_stream_that_breaks_off_is_a_fault() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if data := super().read(size):
                return data
            raise OSError("gone")

    row, fault = read_json_values(Broken(b"[{}\n,"), label="a")
    assert isinstance(row, Row)
    assert isinstance(fault, Fault)
    assert fault.detail == "a:2: reading stops here: gone"
