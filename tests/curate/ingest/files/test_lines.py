import gzip
import io

from curate.contract.reasons import IngestReason
from curate.contract.records import Fault
from curate.ingest.files.compression import decompress
from curate.ingest.files.lines import Line, read_lines


def _read(data: bytes, *, max_bytes: int = 100) -> list[tuple[int, str] | Fault]:
    lines = read_lines(io.BytesIO(data), label="a.txt", max_bytes=max_bytes)
    return [(line.place.number, line.text) if isinstance(line, Line) else line for line in lines]


def _gunzip(data: bytes) -> io.BufferedReader:
    return decompress(io.BufferedReader(io.BytesIO(data)), "gz")


def test_lines_are_numbered_from_one_without_their_ends() -> None:
    assert _read(b"one\r\n\ntwo") == [(1, "one"), (2, ""), (3, "two")]
    assert _read(b"") == []


def test_byte_order_mark_is_dropped_at_the_start_only() -> None:
    assert _read(b"\xef\xbb\xbfone\n\xef\xbb\xbftwo") == [(1, "one"), (2, "\ufefftwo")]


def test_non_utf8_line_is_a_fault_and_the_next_is_read() -> None:
    first, second = _read(b"caf\xe9\nnext\n")
    assert isinstance(first, Fault)
    assert first.detail == "a.txt:1: not UTF-8: byte 0xe9 at column 4"
    assert second == (2, "next")


def test_overlong_line_is_a_fault_and_the_next_is_read() -> None:
    fits, fault, after = _read(b"x" * 10 + b"\n" + b"y" * 5000 + b"\nz", max_bytes=11)
    assert fits == (1, "x" * 10)
    assert isinstance(fault, Fault)
    assert fault.detail == "a.txt:2: line is longer than 11 bytes"
    assert after == (3, "z")


def test_overlong_last_line_without_an_end_is_one_fault() -> None:
    (fault,) = _read(b"y" * 22, max_bytes=11)
    assert isinstance(fault, Fault)
    assert fault.reason is IngestReason.MALFORMED_RECORD


def test_truncated_gzip_gives_what_it_holds_then_a_fault() -> None:
    whole = gzip.compress(b"".join(b"%d %d\n" % (i, i * i * 7919 % 104729) for i in range(3000)))
    found = list(read_lines(_gunzip(whole[: len(whole) // 2]), label="a.gz"))
    assert isinstance(found[0], Line)
    last = found[-1]
    assert isinstance(last, Fault)
    assert last.reason is IngestReason.UNREADABLE_FILE
    assert last.detail.startswith(f"a.gz:{len(found)}: reading stops here")


def test_bytes_that_are_no_gzip_are_a_fault() -> None:
    (fault,) = read_lines(_gunzip(b"plain text"), label="a.gz")
    assert isinstance(fault, Fault)
    assert fault.reason is IngestReason.UNREADABLE_FILE
