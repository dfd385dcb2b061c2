from datetime import UTC, datetime

import pyarrow as pa
import pytest

from curate.contract.errors import SchemaError
from curate.contract.schemas import ITEMS, PAGE_FACTS, PAGES, VERDICTS, check_schema, table_from_rows
from curate.ingest.html.page_items import build_page_items


def _pages(*rows: dict[str, object]) -> pa.Table:
    whole = {"url": "http://a.org/", "status": "ok"}
    return table_from_rows([whole | {"doc_id": str(i)} | row for i, row in enumerate(rows)], PAGES)


def test_tables_of_fetched_pages() -> None:
    items, facts, verdicts = build_page_items(
        _pages(
            {"data": b"<p>a<img src=i.png>", "final_url": "http://b.org/x/"},
            {"status": "http_404", "detail": "Not Found"},
            {"data": b"<nav>menu</nav>"},
            {"data": b"<img src=j.png>"},
            {"data": b""},
        )
    )
    check_schema(items, ITEMS, where="items")
    check_schema(facts, PAGE_FACTS, where="facts")
    check_schema(verdicts, VERDICTS, where="verdicts")
    rows = zip(*(items[name].to_pylist() for name in ("doc_id", "position", "text", "image_url")), strict=True)
    assert list(rows) == [
        ("0", 0, "a", None),
        ("0", 1, None, "http://b.org/x/i.png"),
        ("3", 0, None, "http://a.org/j.png"),
    ]
    passed = zip(*(verdicts[name].to_pylist() for name in ("doc_id", "position", "stage", "reason")), strict=True)
    assert list(passed) == [
        ("1", -1, "fetch_pages", "fetch.http_404"),
        ("2", -1, "parse_pages", "ingest.empty_document"),
        ("4", -1, "parse_pages", "ingest.empty_document"),
    ]
    assert verdicts["detail"][0].as_py() == "Not Found"


def test_no_pages_give_empty_tables_and_other_tables_are_refused() -> None:
    assert [table.num_rows for table in build_page_items(_pages())] == [0, 0, 0]
    with pytest.raises(SchemaError):
        build_page_items(pa.table({"doc_id": ["a"]}))


def test_an_image_without_an_address_is_an_item_that_cannot_be_fetched() -> None:
    html = b"<p>A sentence.</p><img alt=x><img src='http://a/1.jpg'>"
    items, _, _ = build_page_items(_pages({"doc_id": "d", "data": html}))
    assert [row["image_url"] for row in items.to_pylist()] == [None, "http://a/1.jpg", "missing:d/0"]


def test_facts_tell_where_a_page_was_found_when_and_under_which_licence() -> None:
    time = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    html = b"<p>A sentence.</p><footer><a rel=license href=/l>l</a></footer>"
    _, facts, _ = build_page_items(
        _pages(
            {"data": html, "final_url": "http://b.org/x", "fetched_at": time},
            {"status": "http_404"},
            {"data": b"<p>A sentence.</p>", "final_url": "http://a.org/"},
        )
    )
    moved, plain = facts.to_pylist()
    licence = {"id": None, "url": "http://b.org/l", "text": None, "stated_in": "a rel=license"}
    assert moved == {"doc_id": "0", "final_url": "http://b.org/x", "fetched_at": time, "license": licence}
    assert plain == {"doc_id": "2", "final_url": None, "fetched_at": None, "license": None}
