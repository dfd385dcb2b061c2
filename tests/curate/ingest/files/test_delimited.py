import io
from typing import Any

import pytest

from curate.contract.reasons import IngestReason
from curate.contract.records import Fault
from curate.ingest.files.delimited import read_delimited
from curate.ingest.files.dialect import TableOptions
from curate.ingest.files.lines import read_lines
from curate.ingest.files.row import Row


def _read(data: bytes, delimiter: str = ",", **options: Any) -> list[tuple[int, dict[str, str]] | str]:
    lines = read_lines(io.BytesIO(data), label="a")
    rows = read_delimited(lines, label="a", delimiter=delimiter, options=TableOptions(**options))
    return [(row.place.number, row.fields) if isinstance(row, Row) else row.detail for row in rows]


def test_rows_by_header() -> None:
    assert _read(b'url,text\nu1,"a, ""b"""\n\nu2,c\n') == [
        (2, {"url": "u1", "text": 'a, "b"'}),
        (4, {"url": "u2", "text": "c"}),
    ]
    assert _read(b"url\ttext\nu1\ta, b\n", "\t") == [(2, {"url": "u1", "text": "a, b"})]


def test_ragged_row_is_a_fault() -> None:
    assert _read(b"url,text\nu1\nu2,c\n") == [
        "a:2: 1 fields, but the header names 2 columns",
        (3, {"url": "u2", "text": "c"}),
    ]


def test_quotes_are_letters_between_tabs() -> None:
    assert _read(b'url\ttext\nu1\t"Hello\nu2\tbye"\n', "\t") == [
        (2, {"url": "u1", "text": '"Hello'}),
        (3, {"url": "u2", "text": 'bye"'}),
    ]
    enclosed = [(2, {"url": "u1", "text": 'a "b"'})]
    assert _read(b'"url"\t"text"\n"u1"\t"a ""b"""\n', "\t") == enclosed
    assert _read(b'url\ttext\nu1\t"a ""b"""\n', "\t", quotes=True) == enclosed
    assert _read(b'url,text\nu1,"a\n', quotes=False) == [(2, {"url": "u1", "text": '"a'})]


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (b"\xef\xbb\xbfurl;text\r\nu;a\r\n", {}),
        (b"url\ttext\nu\ta\n", {}),
        (b"sep=|\nurl|text\nu|a\n", {}),
        (b"url:text\nu:a\n", {"delimiter": ":"}),
        (b'url, text\nu, "a"\n', {}),
        (b"u,a\n", {"columns": ("url", "text")}),
        (b"u;a\n", {"columns": ("url", "text")}),
        (b"URL, Text\nu,a\n", {"columns": ("url", "text")}),
    ],
)
def test_delimiters_and_headers(data: bytes, options: dict[str, Any]) -> None:
    (row,) = _read(data, **options)
    assert row[1] == {"url": "u", "text": "a"}


def test_data_where_the_header_should_be_is_one_fault() -> None:
    (fault,) = _read(b"http://a/i.jpg\ta cat\nhttp://a/j.jpg\ta dog\n", "\t")
    assert isinstance(fault, str)
    assert fault.startswith("a:1: 'http://a/i.jpg' stands where the name of a column is expected")
    assert fault.endswith("columns: [url, text]")


def test_columns_of_one_name_are_told_apart() -> None:
    assert _read(b",url,url\n0,u,v\n") == [(2, {"(column 1)": "0", "url": "u", "url (column 3)": "v"})]


def test_undecodable_line_is_a_fault_and_the_rest_is_read() -> None:
    assert _read(b"url,text\nu1,\xff\nu2,c\n") == [
        "a:2: not UTF-8: byte 0xff at column 4",
        (3, {"url": "u2", "text": "c"}),
    ]


def test_empty_file_lacks_a_header() -> None:
    (fault,) = read_delimited([], label="a", delimiter=",")
    assert isinstance(fault, Fault)
    assert fault.reason is IngestReason.UNREADABLE_FILE
    assert _read(b"url,text\n") == []


def test_unreadable_header_is_one_fault() -> None:
    assert len(_read(b"\xff\n")) == 1
