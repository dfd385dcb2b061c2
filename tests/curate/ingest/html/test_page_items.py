from pathlib import Path

import pyarrow as pa
import pytest

from curate.contract.errors import SchemaError
from curate.contract.records import Item
from curate.contract.schemas import ITEMS, PAGES, VERDICTS, check_schema, table_from_rows
from curate.ingest.html.page_items import build_page_items, parse_page

_PAGE = """<!doctype html><html><head><title>T</title><style>p{}</style></head><body>
<header><a href="/"><img src="/logo.png" alt="Home"></a><nav><ul><li>Menu</ul></nav></header>
<aside class="sidebar"><p>Subscribe</p><img src="/share.png"></aside>
<main><article><h1>Cats</h1><p>Cats sleep a lot, as everybody knows.</p>
<figure><img src="img/cat.jpg" alt="A cat" width="1" height="1"><figcaption>A cat asleep.</figcaption></figure>
<script>track()</script><div class="newsletter">Sign up</div></article></main>
<footer><p>Cookies</p><img src="/pixel.gif" width="1" height="1"></footer></body></html>"""


def _flat(items: tuple[Item, ...]) -> list[str]:
    return [item.image_url or item.text or "" for item in items]


def _parse(html: str | bytes, url: str = "http://a.org/b/c.html", charset: str | None = None) -> list[str]:
    return _flat(parse_page(html if isinstance(html, bytes) else html.encode(), url=url, charset=charset))


def test_main_content_in_document_order() -> None:
    assert _parse(_PAGE) == [
        "Cats",
        "Cats sleep a lot, as everybody knows.",
        "http://a.org/b/img/cat.jpg",
        "A cat asleep.",
    ]


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("/other/", "http://a.org/other/i.png"),
        ("https://cdn.org/x/y", "https://cdn.org/x/i.png"),
        ("data:,", "http://a.org/b/i.png"),
        ("http://[", "http://a.org/b/i.png"),
        ("", "http://a.org/b/i.png"),
    ],
)
def test_base_href(base: str, url: str) -> None:
    assert _parse(f'<head><base href="{base}"></head><img src="i.png">') == [url]


def test_charset_of_the_header() -> None:
    assert _parse("<p>日本</p>".encode("euc-jp"), charset="euc-jp") == ["日本"]


@pytest.mark.parametrize(
    ("html", "flat"),
    [
        ("", []),
        ("\0", []),
        ("a\0b<p>\0c", ["ab", "c"]),
        ("<p>a<b>b<p>c</i></table></div>", ["ab", "c"]),
        ("<table><p>a<tr><td>b", ["a", "b"]),
        ("<frameset><frame src=x></frameset>", []),
        ("<<<>>><!--", ["<<<>>>"]),
        ("&#xD800;&#0;&amp", ["\ufffd\ufffd&"]),
        ("</html></body><p>late", ["late"]),
    ],
)
def test_broken_html(html: str, flat: list[str]) -> None:
    assert _parse(html) == flat


def test_every_byte_is_survived() -> None:
    noise = bytes(range(256)) * 40
    assert isinstance(_parse(b"<p>" + noise + b"<img src=" + noise), list)


def test_ten_thousand_levels() -> None:
    assert _parse("<div>" * 10_000 + "deep") == ["deep"]
    assert _parse("<blockquote><b>" * 9_000 + "deep") == ["deep"]


def _pages(*rows: dict[str, object]) -> pa.Table:
    whole = {"url": "http://a.org/", "status": "ok"}
    return table_from_rows([whole | {"doc_id": str(i)} | row for i, row in enumerate(rows)], PAGES)


def test_tables_of_fetched_pages() -> None:
    items, verdicts = build_page_items(
        _pages(
            {"data": b"<p>a<img src=i.png>", "final_url": "http://b.org/x/"},
            {"status": "http_404", "detail": "Not Found"},
            {"data": b"<nav>menu</nav>"},
            {"data": b"<img src=j.png>"},
            {"data": b""},
        )
    )
    check_schema(items, ITEMS, where="items")
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
    items, verdicts = build_page_items(_pages())
    assert (items.num_rows, verdicts.num_rows) == (0, 0)
    with pytest.raises(SchemaError):
        build_page_items(pa.table({"doc_id": ["a"]}))


def test_no_boilerplate_in_any_page_of_the_real_web() -> None:
    site = Path(__file__).parents[5] / "shared" / "real" / "site"
    if not site.is_dir():
        pytest.skip("the real web is not here")
    boilerplate_texts = {"Subscribe to our newsletter", "Accept cookies to continue.", "Home", "Teachers"}
    pages = sorted(site.rglob("*.html"))
    for page in pages:
        flat = _parse(page.read_bytes(), f"http://127.0.0.1:8765/{page.relative_to(site)}")
        assert flat, page
        assert not boilerplate_texts.intersection(flat), page
        assert not any("/frame/" in entry for entry in flat), page
    assert len(pages) > 400
