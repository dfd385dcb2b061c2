from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.run import tables
from pipelines.run.context import RunContext, load_items
from pipelines.run.segments import index_of
from pipelines.stages.pages import fetch_page_bodies, parse_pages
from tests.pipelines.corpus import Row, make_context, probe, set_aside, write
from tests.pipelines.web import Web

P = "pages-00000-00000"
SOURCES = """
sources: [{name: pages, type: pages, path: pages.txt}]
fetch: {allow_private: [127.0.0.1], timeout_s: 60, retries: 0}
"""
SENTENCE = "This sentence of the page is long enough to count as content of its own, and it goes on. "


def page(text: str) -> bytes:
    paragraphs = "".join(f"<p>{text} {SENTENCE * 2}</p>" for _ in range(3))
    return f"<html><body><article>{paragraphs}<img src='/a.jpg'></article></body></html>".encode()


@pytest.fixture
def context(tmp_path: Path, web: Web) -> RunContext:
    web.answers = {
        "/b": (200, "text/html", page("First")),
        "/a": (200, "text/html", page("Second")),
        "/empty": (200, "text/html", b"<html><body></body></html>"),
    }
    made = make_context(tmp_path, sources=SOURCES)
    write_documents(made, web, "b", "a", "empty", "gone")
    return made


def write_documents(context: RunContext, web: Web, *names: str) -> None:
    page: Row = {"source": "pages", "kind": "interleaved", "meta": "{}"}
    rows = [{**page, "doc_id": name, "url": f"{web.url}/{name}"} for name in names]
    rows.append({**page, "doc_id": "fault", "url": None})
    write(context, tables.DOCUMENTS, P, rows)


def page_verdicts(context: RunContext) -> dict[str, str]:
    rows = context.folder.read(tables.PAGE_VERDICTS, P).to_pylist()
    return {row["doc_id"]: row["reason"] for row in rows}


def test_pages_are_fetched_once_and_parsed_in_input_order(context: RunContext, web: Web) -> None:
    assert fetch_page_bodies(context, P).counters == {"fetched": 4, "ok": 3}
    assert fetch_page_bodies(context, P).skipped
    assert len(web.asked) == 4
    report = parse_pages(context, P)
    assert report.counters == {"items": 8, "page_facts": 2, "page_verdicts": 2}
    items = load_items(context, P)
    assert list(dict.fromkeys(items["doc_id"].to_pylist())) == ["b", "a"]
    urls = {url for url in items["image_url"].to_pylist() if url is not None}
    assert urls == {f"{web.url}/a.jpg"}
    assert page_verdicts(context) == {"empty": "ingest.empty_document", "gone": "fetch.http_404"}
    assert parse_pages(context, P).skipped


def test_a_page_that_comes_back_is_parsed(context: RunContext, web: Web) -> None:
    web.answers["/gone"] = (503, "text/plain", b"later")
    fetch_page_bodies(context, P)
    parse_pages(context, P)
    assert page_verdicts(context)["gone"] == "fetch.http_5xx"
    web.answers["/gone"] = (200, "text/html", page("Back"))
    assert fetch_page_bodies(replace(context, retry_failed=True), P).counters == {"fetched": 1, "ok": 1}
    assert not parse_pages(context, P).skipped
    assert page_verdicts(context) == {"empty": "ingest.empty_document"}


def test_stored_pages_of_documents_that_are_no_longer_there_make_no_items(context: RunContext, web: Web) -> None:
    fetch_page_bodies(context, P)
    write_documents(context, web, "a")
    fetch_page_bodies(context, P)
    assert context.folder.read(tables.PAGES, P).num_rows == 4
    parse_pages(context, P)
    assert set(load_items(context, P)["doc_id"].to_pylist()) == {"a"}
    assert page_verdicts(context) == {}
    assert len(web.asked) == 4


def test_a_probe_fetches_and_parses_its_pages_only(context: RunContext, web: Web) -> None:
    fetch_page_bodies(probe(context, "a"), P)
    assert web.asked == ["/a"]
    assert not Path(context.folder.path(tables.PAGES, P)).exists()


def test_a_page_set_aside_is_neither_fetched_nor_parsed(context: RunContext, web: Web) -> None:
    set_aside(context, P, "b", "gone")
    fetch_page_bodies(context, P)
    assert sorted(web.asked) == ["/a", "/empty"]
    parse_pages(context, P)
    assert set(context.folder.read(tables.ITEMS, P)["doc_id"].to_pylist()) == {"a"}
    assert page_verdicts(context) == {"empty": "ingest.empty_document"}


def test_no_page_at_all(context: RunContext, web: Web) -> None:
    write_documents(context, web)
    assert fetch_page_bodies(context, P).counters == {"fetched": 0, "ok": 0}
    assert parse_pages(context, P).counters == {"items": 0, "page_facts": 0, "page_verdicts": 0}
    assert context.folder.read(tables.PAGES, P).schema.equals(index_of(tables.PAGES).schema)
