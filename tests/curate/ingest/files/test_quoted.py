import io

from curate.ingest.files.dialect import Dialect
from curate.ingest.files.lines import read_lines
from curate.ingest.files.quoted import read_quoted

_CSV = Dialect(delimiter=",", has_quotes=True)


def _read(data: bytes) -> list[tuple[int, list[str]] | str]:
    records = read_quoted(read_lines(io.BytesIO(data), label="a"), dialect=_CSV)
    return [(record[0].number, record[1]) if isinstance(record, tuple) else record.detail for record in records]


def test_record_over_several_lines_stands_at_its_first() -> None:
    assert _read(b'url,text\nu1,"one,\n\ntwo"\nu2,c\n')[1:] == [(2, ["u1", "one,\n\ntwo"]), (5, ["u2", "c"])]


def test_text_that_takes_in_a_line_with_a_url_is_a_fault() -> None:
    assert _read(b'url,text\nhttp://a/1,"Hello\nhttp://a/2,bye"\nhttp://a/3,c\n')[1:] == [
        "a:2: broken record: its quoted text takes in line 3, which looks like a whole record",
        (3, ["http://a/2", 'bye"']),
        (4, ["http://a/3", "c"]),
    ]


def test_texts_over_lines_in_front_of_a_url_and_beside_each_other_are_read() -> None:
    assert _read(b'text,url\n"one\ntwo, ""or"" three",http://a/1\n')[1:] == [
        (2, ['one\ntwo, "or" three', "http://a/1"])
    ]
    assert _read(b'q,a\n"x\ny","b\nc"\n')[1:] == [(2, ["x\ny", "b\nc"])]


def test_a_quote_that_opens_in_front_of_a_url_is_a_fault() -> None:
    assert _read(b'text,url\n"a,http://a/1\nb",http://a/2\n')[1:] == [
        "a:2: broken record: its quoted text takes in a URL behind a delimiter",
        (3, ['b"', "http://a/2"]),
    ]


def test_text_that_takes_in_whole_records_is_a_fault() -> None:
    assert _read(b'q,a\nx1,"Hello\nx2,b\nx3,bye"\n')[1:] == [
        "a:2: broken record: its quoted text takes in what looks like whole records, from line 3 on",
        (3, ["x2", "b"]),
        (4, ["x3", 'bye"']),
    ]


def test_unclosed_quote_costs_only_its_own_line() -> None:
    _, fault, *rest = _read(b'q,a\nx,"oops\n' + b"".join(b"line %d\n" % i for i in range(3_000)))
    assert fault == "a:2: broken record: its quoted text is longer than 200 lines"
    assert len(rest) == 3_000


def test_unclosed_quote_near_the_end() -> None:
    assert _read(b'url,text\nu1,"oops\nu2,c')[1:] == [
        "a:2: broken record: unexpected end of data",
        (3, ["u2", "c"]),
    ]


def test_field_beyond_the_limit_of_csv_is_a_fault() -> None:
    _, fault, last = _read(b"q,a\nx," + b"y" * 140_000 + b"\nz,c\n")
    assert fault == "a:2: broken record: field larger than field limit (131072)"
    assert last == (3, ["z", "c"])
