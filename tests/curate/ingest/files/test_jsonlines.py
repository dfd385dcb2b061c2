import io

import pytest

from curate.contract.reasons import IngestReason
from curate.contract.records import Fault
from curate.ingest.files.jsonlines import read_json_lines, read_words
from curate.ingest.files.lines import read_lines
from curate.ingest.files.row import Row


def _read_json(text: str) -> list[Row | Fault]:
    return list(read_json_lines(read_lines(io.BytesIO(text.encode()), label="a"), label="a"))


def _read_words(text: str, *columns: str) -> list[dict[str, str]]:
    rows = read_words(read_lines(io.BytesIO(text.encode()), label="a"), columns=columns)
    return [row.fields for row in rows if isinstance(row, Row)]


def test_blank_lines_are_skipped_but_counted() -> None:
    rows = _read_json('{"a": 1}\n\n{"a": 2}\n')
    assert [row.place.number for row in rows if isinstance(row, Row)] == [1, 3]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('{"a": ', "malformed JSON: Expecting value at column 7"),
        ("[1]", "expected a JSON object, got a list"),
        ("7", "expected a JSON object, got a number"),
        ("[" * 100_000, "JSON beyond limits: RecursionError"),
        ('{"a": ' + "9" * 5000 + "}", "JSON beyond limits: ValueError"),
    ],
)
def test_bad_line_is_a_fault_and_the_next_is_read(line: str, what: str) -> None:
    fault, row = _read_json(f'{line}\n{{"a": 1}}')
    assert isinstance(fault, Fault)
    assert (fault.detail, fault.reason) == (f"a:1: {what}", IngestReason.MALFORMED_RECORD)
    assert isinstance(row, Row)


def test_an_array_with_an_object_a_line_reads_like_lines() -> None:
    rows = _read_json('\n[\n  {"a": 1},\n7,\n\n  {"a": 2}\n]\n')
    assert [row.fields if isinstance(row, Row) else row.detail for row in rows] == [
        {"a": 1},
        "a:4: expected a JSON object, got a number",
        {"a": 2},
    ]
    assert _read_json("[\n]") == []


def test_lines_of_an_array_may_hold_several_objects_or_begin_with_a_comma() -> None:
    rows = _read_json('[\n{"a": 1}\n,{"a": 2}, {"a": 3}\n, {"a": 4}, {\n]')
    assert [(row.place.ordinal, row.fields["a"]) for row in rows if isinstance(row, Row)] == [
        ("a#2", 1),
        ("a#3", 2),
        ("a#3.2", 3),
    ]
    assert [row.ordinal for row in rows if isinstance(row, Fault)] == ["a#4"]


@pytest.mark.parametrize("between", ["", " ", "\t", ", "])
def test_every_object_of_a_line_is_a_record(between: str) -> None:
    rows = _read_json('{"a": 0}\n' + between.join(f'{{"a": {i}}}' for i in (1, 2, 3)) + '\n{"a": 4}\n')
    assert [(row.place.ordinal, row.fields["a"]) for row in rows if isinstance(row, Row)] == [
        *(("a#1", 0), ("a#2", 1), ("a#2.2", 2), ("a#2.3", 3), ("a#3", 4))
    ]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('{"a": 1}{"a": ', "Extra data at column 9; nothing of this line is taken, though 1 values parse"),
        ('{"a": 1} {"a": 2} x', "Extra data at column 10; nothing of this line is taken, though 2 values parse"),
        ('{"a": 1} [2]', "Extra data at column 10"),
        ('{"a": 1},', "Extra data at column 9"),
    ],
)
def test_a_line_with_something_else_behind_its_objects_is_a_fault(line: str, what: str) -> None:
    (fault,) = _read_json(line)
    assert isinstance(fault, Fault)
    assert fault.detail == f"a:1: malformed JSON: {what}"


def test_an_array_without_its_end_is_a_fault() -> None:
    row, fault = _read_json('[\n{"a": 1},\n')
    assert isinstance(row, Row)
    assert isinstance(fault, Fault)
    assert fault.detail == "a:2: the JSON array is not closed: the file ends early"


def test_a_url_behind_a_bare_carriage_return_begins_a_record() -> None:
    assert _read_words("http://a one\rtwo\rhttp://b three\n", "url", "text") == [
        {"url": "http://a", "text": "one\rtwo"},
        {"url": "http://b", "text": "three"},
    ]


def test_words_skip_comments_and_blank_lines() -> None:
    assert _read_words("# list\n\n http://a/b c \n", "url") == [{"url": "http://a/b c"}]


def test_words_cut_at_the_first_white_space() -> None:
    assert _read_words("http://a a red \t cat\nhttp://b", "url", "text") == [
        {"url": "http://a", "text": "a red \t cat"},
        {"url": "http://b"},
    ]


def test_line_faults_pass_through() -> None:
    lines = list(read_lines(io.BytesIO(b"\xff\n"), label="a"))
    assert list(read_words(lines, columns=("url",))) == lines
    assert list(read_json_lines(lines, label="a")) == lines
