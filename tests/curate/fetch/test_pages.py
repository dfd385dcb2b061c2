import pyarrow as pa

from curate.contract.schemas import PAGES, check_schema
from curate.fetch.config import FetchConfig
from curate.fetch.pages import fetch_pages
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
    transport = FakeTransport({url: [answer] for url, answer in answers.items()})
    table = fetch_pages(documents(list(answers)), config=FetchConfig(), transport=transport)
    assert table["status"].to_pylist() == ["ok", "ok", "not_html", "ok", "not_html"]
    assert table["charset"].to_pylist() == ["shift_jis", None, None, None, None]


def test_no_rows_and_null_urls() -> None:
    assert fetch_pages(documents([]), config=FetchConfig(), transport=FakeTransport({})).schema.equals(PAGES)
    row = fetch_pages(documents([None]), config=FetchConfig(), transport=FakeTransport({})).to_pylist()[0]
    assert (row["status"], row["url"]) == ("bad_url", "")
