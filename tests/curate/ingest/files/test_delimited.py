import io

from curate.contract.reasons import IngestReason
from curate.contract.records import Fault
from curate.ingest.files.delimited import read_delimited
from curate.ingest.files.lines import read_lines
from curate.ingest.files.row import Row


def _read(data: bytes, delimiter: str = ",") -> list[tuple[int, dict[str, str]] | str]:
    rows = read_delimited(read_lines(io.BytesIO(data), label="a"), label="a", delimiter=delimiter)
    return [(row.place.number, row.fields) if isinstance(row, Row) else row.detail for row in rows]


def test_rows_by_header() -> None:
    assert _read(b'url,text\nu1,"a, ""b"""\n\nu2,c\n') == [
        (2, {"url": "u1", "text": 'a, "b"'}),
        (4, {"url": "u2", "text": "c"}),
    ]
    assert _read(b"url\ttext\nu1\ta, b\n", "\t") == [(2, {"url": "u1", "text": "a, b"})]


def test_record_over_several_lines_stands_at_its_first() -> None:
    assert _read(b'url,text\nu1,"one\ntwo"\nu2,c\n') == [
        (2, {"url": "u1", "text": "one\ntwo"}),
        (4, {"url": "u2", "text": "c"}),
    ]


def test_ragged_row_is_a_fault() -> None:
    assert _read(b"url,text\nu1\nu2,c\n") == [
        "a:2: 1 fields, but the header names 2 columns",
        (3, {"url": "u2", "text": "c"}),
    ]


def test_unclosed_quote_costs_only_its_own_line() -> None:
    fault, *rest = _read(b'url,text\nu1,"oops\n' + b"".join(b"u%d,c\n" % i for i in range(30_000)))
    assert isinstance(fault, str)
    assert fault.startswith("a:2: broken record: field larger than")
    assert len(rest) == 30_000


def test_unclosed_quote_near_the_end() -> None:
    assert _read(b'url,text\nu1,"oops\nu2,c') == [
        "a:2: broken record: unexpected end of data",
        (3, {"url": "u2", "text": "c"}),
    ]


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
