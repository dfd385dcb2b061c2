import gzip
import zlib
from datetime import UTC, datetime

import pytest

from curate.contract.schemas import PAGES, check_schema
from curate.fetch.archived import Answer, archived_pages
from curate.fetch.config import FetchConfig

PAGE = b"<!DOCTYPE html><html><head>%s</head><body><p>A page.</p></body></html>"
HTML = ("Content-Type", "text/html; charset=utf-8")


def judge(body: bytes = PAGE, *headers: tuple[str, str], status: int = 200, **options: object) -> dict[str, object]:
    config = FetchConfig.model_validate({"contact": "mailto:a@b.example"} | options)
    answer = Answer(doc_id="d", url="http://h/1", http_status=status, headers=headers or (HTML,), body=body)
    table = archived_pages([answer], config=config)
    check_schema(table, PAGES, where="test")
    (row,) = table.to_pylist()
    return dict(row)


def test_a_page_is_taken_as_it_was_archived() -> None:
    row = judge()
    assert (row["status"], row["http_status"], row["charset"]) == ("ok", 200, "utf-8")
    assert (row["final_url"], row["data"]) == ("http://h/1", PAGE)
    assert row["robots"] is None


@pytest.mark.parametrize(
    ("date", "time"),
    [
        ("2026-11-01T10:00:00Z", datetime(2026, 11, 1, 10, tzinfo=UTC)),
        ("2026-11-01T12:00:00.123456+02:00", datetime(2026, 11, 1, 10, tzinfo=UTC)),
        ("2026-11-01T10:00:00", datetime(2026, 11, 1, 10, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("20261301", None),
        ("x" * 60_000, None),
        ("", None),
        (None, None),
    ],
)
def test_the_time_of_a_page_is_that_of_the_archive(date: str | None, time: datetime | None) -> None:
    answer = Answer(doc_id="d", url="http://h/1", http_status=200, headers=(HTML,), body=PAGE, date=date)
    table = archived_pages([answer], config=FetchConfig.model_validate({"contact": "mailto:a@b.example"}))
    assert table["fetched_at"].to_pylist() == [time]


@pytest.mark.parametrize(
    ("row", "status"),
    [
        (judge(status=404), "http_404"),
        (judge(status=302), "http_other"),
        (judge(b""), "empty_body"),
        (judge(PAGE, ("Content-Type", "application/pdf")), "not_html"),
        (judge(b"\xff\xd8\xff\xe0" + b"0" * 40), "not_html"),
        (judge(PAGE, HTML, ("X-Robots-Tag", "noai")), "opted_out"),
        (judge(PAGE % b"<meta name=robots content=noai>"), "opted_out"),
        (judge(PAGE * 10, max_bytes=200), "too_large"),
        (judge(PAGE, HTML, ("X-Robots-Tag", "noai"), respect_x_robots=False), "ok"),
    ],
)
def test_what_fetching_would_refuse_is_refused(row: dict[str, object], status: str) -> None:
    assert row["status"] == status
    assert (row["data"] is not None) == (status == "ok")


CHUNKED = ("Transfer-Encoding", "chunked")


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (gzip.compress(PAGE), [("Content-Encoding", "gzip")]),
        (zlib.compress(PAGE), [("Content-Encoding", "deflate")]),
        (gzip.compress(PAGE), [("Content-Encoding", "x-gzip")]),
        (PAGE, [("Content-Encoding", "gzip")]),
        (PAGE, [("Content-Encoding", "UTF-8")]),
        (f"{len(PAGE):x};a=b\r\n".encode() + PAGE + b"\r\n0\r\n\r\n", [CHUNKED]),
        (PAGE, [CHUNKED]),
    ],
)
def test_codings_are_undone_where_the_bytes_are_coded(body: bytes, headers: list[tuple[str, str]]) -> None:
    row = judge(body, HTML, *headers)
    assert (row["status"], row["data"]) == ("ok", PAGE)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (gzip.compress(PAGE * 50)[:-40], [("Content-Encoding", "gzip")], "protocol_error"),
        (f"{len(PAGE):x}\r\n".encode() + PAGE + b"\r\n", [CHUNKED], "truncated_body"),
        (gzip.compress(b"<p>" + b"a" * 30_000_000), [("Content-Encoding", "gzip")], "too_large"),
    ],
)
def test_a_body_without_an_end_is_no_page(body: bytes, headers: list[tuple[str, str]], status: str) -> None:
    assert judge(body, HTML, *headers)["status"] == status
