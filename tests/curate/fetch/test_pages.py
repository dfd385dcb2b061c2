import pyarrow as pa
import pytest

from curate.contract.schemas import PAGES, check_schema
from curate.fetch.config import FetchConfig
from curate.fetch.pages import fetch_pages
from tests.curate.fetch import samples
from tests.curate.fetch.fake_transport import FakeResponse, FakeTransport
from tests.curate.fetch.fault_server import PAGE, FaultServer


def documents(urls: list[str | None]) -> pa.Table:
    return pa.table({"doc_id": [str(n) for n in range(len(urls))], "url": pa.array(urls, pa.string())})


def test_pages_from_a_server(server: FaultServer) -> None:
    paths = ["/page.html", "/moved.html", "/no-type", "/paper.pdf", "/404.jpg", "/private/page.html", "/page.html"]
    config = FetchConfig(allow_private=("127.0.0.1",))
    table = fetch_pages(documents([server.url(path) for path in paths]), config=config)
    check_schema(table, PAGES, where="test")
    rows = table.to_pylist()
    assert [row["status"] for row in rows] == ["ok", "ok", "ok", "not_html", "http_404", "robots_disallowed", "ok"]
    assert [row["final_url"] for row in rows[:3]] == [server.url(p) for p in ("/page.html", "/page.html", "/no-type")]
    assert rows[0]["data"] == rows[2]["data"] == PAGE
    assert [row["http_status"] for row in rows] == [200, 200, 200, 200, 404, None, 200]
    assert server.requested["/page.html"] == 2  # itself once, and through a redirect


def test_types_and_charsets() -> None:
    answers = {
        "http://e.example/a": FakeResponse(b"<p>", headers={"Content-Type": "text/html; charset=Shift_JIS"}),
        "http://e.example/b": FakeResponse(b"<p>", headers={"Content-Type": "application/xhtml+xml"}),
        "http://e.example/c": FakeResponse(b"plain words"),
        "http://e.example/d": FakeResponse(b"<!-- c --><HTML>"),
        "http://e.example/e": FakeResponse(b"<html>", headers={"Content-Type": "text/plain"}),
    }
    table = fetched(answers)
    assert table["status"].to_pylist() == ["ok", "ok", "not_html", "ok", "not_html"]
    assert table["charset"].to_pylist() == ["shift_jis", None, None, None, None]


def fetched(answers: dict[str, FakeResponse], config: FetchConfig | None = None) -> pa.Table:
    transport = FakeTransport({url: [answer] for url, answer in answers.items()})
    return fetch_pages(documents(list(answers)), config=config or FetchConfig(), transport=transport)


@pytest.mark.parametrize(
    ("label", "body", "status"),
    [
        ("text/html charset=utf-8", b"words", "ok"),
        ("text/html, text/html; charset=UTF-8", b"words", "ok"),
        ("*/*", b"<!DOCTYPE html><p>", "ok"),
        ("*/*", b"words", "not_html"),
        ("html", b"<title>t</title>", "ok"),
        ("application/xml", b'<?xml version="1.0"?><!DOCTYPE html PUBLIC "x"><html xmlns="y">', "ok"),
        ("text/xml", b'<?xml version="1.0"?><rss>', "not_html"),
        ("application/octet-stream", b"<html>", "ok"),
        ("application/json", b"<html>", "not_html"),
        ("text/html", samples.jpeg(), "not_html"),
        ("text/html", b"%PDF-1.7", "not_html"),
    ],
)
def test_labels_that_say_little_leave_it_to_the_bytes(label: str, body: bytes, status: str) -> None:
    table = fetched({"http://e.example/a": FakeResponse(body, headers={"Content-Type": label})})
    assert table["status"].to_pylist() == [status]


def page(head: str) -> FakeResponse:
    return FakeResponse(f"<html><head>{head}</head><p>words".encode(), headers={"Content-Type": "text/html"})


def test_opt_outs_stated_in_the_page_are_obeyed_and_recorded() -> None:
    answers = {
        "http://e.example/a": page("<meta name='robots' content='noai, noimageai'>"),
        "http://e.example/b": page("<meta name=tdm-reservation content=1>"),
        "http://e.example/c": page("<meta name=robots content=index,follow>"),
    }
    rows = fetched(answers).to_pylist()
    assert [row["status"] for row in rows] == ["opted_out", "opted_out", "ok"]
    assert [row["x_robots_tag"] for row in rows] == ["noai, noimageai", "", "index,follow"]
    assert [row["tdm_reservation"] for row in rows] == [0, 1, 0]
    assert [row["detail"] for row in rows] == ["meta robots: noai", "meta tdm-reservation: 1", None]
    assert [row["data"] is None for row in rows] == [True, True, False]
    heedless = FetchConfig(respect_x_robots=False, respect_tdmrep=False)
    assert fetched(answers, heedless)["status"].to_pylist() == ["ok"] * 3


def refresh(target: str) -> FakeResponse:
    return page(f'<meta http-equiv="refresh" content="0; url={target}">')


def test_a_refresh_is_followed_once_and_checked_like_a_redirect() -> None:
    answers = {
        "http://e.example/a": refresh("/b"),
        "http://e.example/b": refresh("c"),
        "http://e.example/c": page("<title>c</title>"),
        "http://e.example/d": refresh("/d"),
        "http://e.example/e": refresh("javascript:void(0)"),
        "http://e.example/f": refresh("/private"),
        "http://e.example/g": refresh("/missing"),
        "http://e.example/robots.txt": FakeResponse(b"User-agent: *\nDisallow: /private"),
    }
    rows = fetched(answers).to_pylist()[:7]
    assert [row["status"] for row in rows] == ["ok"] * 5 + ["robots_disallowed", "http_404"]
    assert [row["final_url"] for row in rows[:5]] == [f"http://e.example/{name}" for name in "bccde"]


def test_no_rows_and_null_urls() -> None:
    assert fetch_pages(documents([]), config=FetchConfig(), transport=FakeTransport({})).schema.equals(PAGES)
    row = fetch_pages(documents([None]), config=FetchConfig(), transport=FakeTransport({})).to_pylist()[0]
    assert (row["status"], row["url"]) == ("bad_url", "")
