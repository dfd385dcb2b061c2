import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.contract.records import Item
from curate.ingest.html.page import parse_page, read_page

_PAGE = """<!doctype html><html><head><title>T</title><style>p{}</style></head><body>
<header><a href="/"><img src="/logo.png" alt="Home"></a><nav><ul><li>Menu</ul></nav></header>
<aside class="sidebar"><p>Subscribe</p><img src="/share.png"></aside>
<main><article><h1>Cats</h1><p>Cats sleep a lot, as everybody knows.</p>
<figure><img src="img/cat.jpg" alt="A cat" width="640" height="480"><figcaption>A cat asleep.</figcaption></figure>
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


_TAGS = (
    "p",
    "div",
    "a href=x",
    "img src=a.jpg",
    "table",
    "td",
    "li",
    "noscript",
    "math",
    "svg",
    "form",
    "b",
    "template",
)
_PIECES = st.one_of(
    st.binary(max_size=20),
    st.sampled_from([f"<{tag}>".encode() for tag in _TAGS]),
    st.sampled_from([f"</{tag.split()[0]}>".encode() for tag in _TAGS]),
    st.sampled_from(
        [b"<meta charset=", b"<!--", b"<base href=//[>", b"<img srcset=, alt=x>", b"<script type=math/tex>"]
    ),
)


@settings(max_examples=150, deadline=2000)
@given(st.lists(_PIECES, max_size=60), st.sampled_from([None, "utf-16", "iso-2022-kr", "x-user-defined", "\0"]))
def test_no_bytes_raise(pieces: list[bytes], charset: str | None) -> None:
    page = read_page(b"".join(pieces), url="http://a.org/", charset=charset)
    assert all((item.text is None) != (item.image_url is None) for item in page.items)


@pytest.mark.parametrize(
    "unit",
    [
        "<a href=x>",
        "<noscript><img src=a.png>",
        "<img>",
        "<a href=x><img src=a.png>t</a>",
        "<math><msup>",
        "<ul><li><a href=x>b</a>",
        "<h2>",
        '<p style="top:1px;left:1px">',
        "<span class=MathJax>",
        "\u00ad\u200d",
        "<svg><math><annotation>",
        "<div><h3><a href=x>t</a></h3><a href=x><img src=a.png></a></div>",
        "<b><a href=x>t</a>",
        "<img src=/spacer-spacer-x data-a='x.jpg?x.jpg? 1w'>",
        "<button><img src=a.png>",
        "<div><p style='top:1px;left:1px'>a</p><img><p style='top:1px;left:1px'>b</p><p style='top:1px;left:1px'>c</p>",
        "<article><h1>t</h1>",
        "<table><tr><td>",
    ],
)
def test_time_grows_with_size_only(unit: str) -> None:
    text = (unit * 20_000)[:400_000]
    start = time.process_time()
    read_page(text.encode(), url="http://a.org/", charset="utf-8")
    assert time.process_time() - start < 8


def test_images_without_an_address_are_counted() -> None:
    page = read_page(
        b"<p>a</p><img alt=x><img src='data:image/gif;base64,R0'><img src=i.png>", url="http://a/", charset=None
    )
    assert (_flat(page.items), page.num_missing_images) == (["a", "http://a/i.png"], 2)


def test_ten_thousand_levels() -> None:
    assert _parse("<div>" * 10_000 + "deep") == ["deep"]
    assert _parse("<blockquote><b>" * 9_000 + "deep") == ["deep"]


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
