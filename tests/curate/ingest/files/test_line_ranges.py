import io
from typing import cast

import pytest

from curate.ingest.files import line_ranges
from curate.ingest.files.line_ranges import Counted, LineRange, count_records

TEXTS = {
    "short lines": b"a\nbb\n\nccc\n",
    "no line end": b"a\nbb\nccc",
    "crlf": b"a\r\n\r\nbb\r\n",
    "a long line": b"a\n" + b"x" * 40 + b"\nb\n",
    "one line": b"x" * 30,
    "blank lines": b"\n\n\n\n",
}


def part(data: bytes, start: int, end: int | None, number: int = 1) -> LineRange:
    return LineRange(buffered(data), start=start, end=end, number=number)


def buffered(data: bytes, buffer_size: int = 1000) -> io.BufferedReader:
    return io.BufferedReader(cast("io.RawIOBase", io.BytesIO(data)), buffer_size)


def take(lines: LineRange, limit: int = -1) -> list[bytes]:
    return list(iter(lambda: lines.readline(limit), b""))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("case", TEXTS)
def test_every_line_is_in_the_range_in_which_it_begins(case: str, size: int) -> None:
    data, at = TEXTS[case], 0
    begins = []
    for line in io.BytesIO(data):
        begins.append((at, line))
        at += len(line)
    for start in range(0, len(data), size):
        expected = [line for at, line in begins if start <= at < start + size]
        assert take(part(data, start, start + size)) == expected


@pytest.mark.parametrize("case", TEXTS)
def test_lines_are_numbered_and_go_on_behind_the_range(case: str) -> None:
    data = TEXTS[case]
    expected = list(io.BytesIO(data))
    lines = part(data, 0, 2, number=5)
    own = take(lines)
    assert lines.number == 5 + sum(line.endswith(b"\n") for line in own)
    lines.read_on()
    assert own + take(lines) == expected


def test_a_line_is_given_in_pieces() -> None:
    lines = part(b"abcdef\ngh\n", 0, 1)
    assert take(lines, 4) == [b"abcd", b"ef\n"]


def test_a_line_longer_than_many_ranges_is_not_read_to_its_end_by_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_ranges, "_SKIP_BYTES", 10)
    stream = buffered(b"x" * 1000 + b"\n", 16)
    assert LineRange(stream, start=100, end=150).readline() == b""
    assert stream.tell() < 200


def test_lines_and_records_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_ranges, "MAX_LINE_BYTES", 10)
    data = b"a\n\n  \nbb\n" + b" " * 35 + b"\nc"
    counted = count_records(part(data, 0, None), lambda line: bool(line.strip()))
    assert counted == Counted(num_lines=5, num_records=4), "blanks too long for a line are a fault"
    assert count_records(part(data, 3, 7), lambda _: True) == Counted(num_lines=2, num_records=2)
