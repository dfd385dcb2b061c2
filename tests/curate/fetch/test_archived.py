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
