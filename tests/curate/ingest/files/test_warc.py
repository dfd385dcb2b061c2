import gzip
import io
from typing import IO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.contract.reasons import IngestReason
from curate.contract.records import Fault
from curate.ingest.files import warc
from curate.ingest.files.warc import ArchivedPage, read_warc

PAGE = b"<html><body><p>A page.</p></body></html>"


def record(url: str, body: bytes = PAGE, *, status: str = "200 OK", headers: str = "", kind: str = "response") -> bytes:
    http = f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\n{headers}\r\n".encode() + body
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2026-11-01T10:00:00Z\r\n"
        f"WARC-Record-ID: <urn:uuid:{len(url)}>\r\nWARC-Payload-Digest: sha1:ABC\r\n"
        f"Content-Type: application/http; msgtype={kind}\r\nContent-Length: {len(http)}\r\n\r\n"
    )
    return head.encode() + http + b"\r\n\r\n"


def read(data: bytes) -> list[ArchivedPage | Fault]:
    return list(read_warc(io.BytesIO(data), label="a.warc"))


def test_responses_are_pages_with_where_they_came_from() -> None:
    first, second = read(
        record("http://h/info", kind="request") + record("http://h/1") + record("<http://h/2>", status="404 Not Found")
    )
    assert isinstance(first, ArchivedPage)
    assert isinstance(second, ArchivedPage)
    assert (first.url, first.http_status, first.body) == ("http://h/1", 200, PAGE)
    assert (first.date, first.digest) == ("2026-11-01T10:00:00Z", "sha1:ABC")
    assert ("Content-Type", "text/html; charset=utf-8") in first.headers
    assert first.place.ordinal == "a.warc#1"
    assert (second.url, second.http_status, second.place.number) == ("http://h/2", 404, 2)


def test_codings_are_left_to_who_judges_the_answer() -> None:
    packed = gzip.compress(PAGE)
    first, second = read(record("http://h/1", packed, headers="Content-Encoding: UTF-8\r\n") + record("http://h/2"))
    assert isinstance(first, ArchivedPage)
    assert isinstance(second, ArchivedPage)
    assert (first.body, dict(first.headers)["Content-Encoding"], second.body) == (packed, "UTF-8", PAGE)


def test_a_record_that_its_crawler_has_cut_off_is_a_fault() -> None:
    cut = record("http://h/1").replace(b"WARC-Date", b"WARC-Truncated: length\r\nWARC-Date", 1)
    fault, page = read(cut + record("http://h/2"))
    assert isinstance(fault, Fault)
    assert "cut off (length)" in fault.detail
    assert isinstance(page, ArchivedPage)


def test_a_resource_is_a_page_of_its_own_type() -> None:
    head = (
        "WARC/1.1\r\nWARC-Type: resource\r\nWARC-Target-URI: http://h/r\r\nContent-Type: text/html\r\n"
        f"WARC-Record-ID: <urn:uuid:1>\r\nContent-Length: {len(PAGE)}\r\n\r\n"
    )
    (page,) = read(head.encode() + PAGE + b"\r\n\r\n")
    assert isinstance(page, ArchivedPage)
    assert (page.http_status, page.headers, page.body) == (200, (("Content-Type", "text/html"),), PAGE)


def test_a_file_that_breaks_off_gives_what_came_before() -> None:
    whole = b"".join(gzip.compress(record(f"http://h/{number}", PAGE * 200)) for number in range(3))
    with gzip.GzipFile(fileobj=io.BytesIO(whole[: len(whole) - 40])) as stream:
        found = list(read_warc(cast("IO[bytes]", stream), label="a.warc.gz"))
    assert [type(one) for one in found][:2] == [ArchivedPage, ArchivedPage]
    assert [one.reason for one in found if isinstance(one, Fault)][-1] == IngestReason.UNREADABLE_FILE
    plain = record("http://h/1") + record("http://h/2")
    page, fault = read(plain[:-30])
    assert isinstance(page, ArchivedPage)
    assert isinstance(fault, Fault)
    assert "cut off" in fault.detail


def test_what_is_no_warc_is_a_fault_of_the_file() -> None:
    for data in (b"", b"{}" * 100, b"<html>" * 10):
        (fault,) = read(data)
        assert isinstance(fault, Fault)
        assert fault.reason == IngestReason.UNREADABLE_FILE
    page, fault = read(record("http://h/1") + b"junk that is no record at all\r\n\r\n")
    assert isinstance(page, ArchivedPage)
    assert isinstance(fault, Fault)
    assert fault.detail.startswith("a.warc:2: reading stops here")


def test_a_page_beyond_the_limit_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warc, "MAX_PAGE_BYTES", 100)
    fault, page = read(record("http://h/1", b"a" * 101) + record("http://h/2"))
    assert isinstance(fault, Fault)
    assert "101 bytes, more than 100" in fault.detail
    assert isinstance(page, ArchivedPage)


def test_a_file_without_a_page_does_not_vanish() -> None:
    lines = record("http://h/1").replace(b"\r\n", b"\n")
    for data in (record("http://h/1", kind="request"), lines):
        (fault,) = read(data)
        assert isinstance(fault, Fault)
        assert fault.reason == IngestReason.UNREADABLE_FILE


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 900), st.booleans())
def test_no_bytes_raise(junk: bytes, place: int, is_inserted: bool) -> None:  # noqa: FBT001
    whole = record("http://h/1") + record("http://h/2", gzip.compress(PAGE), headers="Content-Encoding: gzip\r\n")
    place = min(place, len(whole))
    rest = whole[place:] if is_inserted else whole[place + len(junk) :]
    for one in read(whole[:place] + junk + rest):
        assert isinstance(one, ArchivedPage | Fault)
