import pytest
from yarl import URL

from curate.contract.reasons import FetchStatus
from curate.fetch.errors import FetchError
from curate.fetch.urls import MAX_URL_CHARS, join_redirect, origin, parse_url


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://a.example/x.jpg", "http://a.example/x.jpg"),
        (" https://a.example/x.jpg\n", "https://a.example/x.jpg"),
        ("http://a.example/x#part", "http://a.example/x"),
        ("HTTP://A.Example/X", "http://a.example/X"),
        ("http://a.example/%7Eu/%2f?sig=a%2Bb+c", "http://a.example/%7Eu/%2f?sig=a%2Bb+c"),
        ("http://a.example/a b/ü.jpg", "http://a.example/a%20b/%C3%BC.jpg"),
        ("http://münchen.example/", "http://xn--mnchen-3ya.example/"),
        ("http://[2606:4700::1]:8080/x", "http://[2606:4700::1]:8080/x"),
    ],
)
def test_urls_that_can_be_asked_for(text: str, expected: str) -> None:
    assert str(parse_url(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x.jpg",
        "//a.example/x",
        "file:///etc/passwd",
        "ftp://a.example/x",
        "javascript:alert(1)",
        "data:image/png;base64,AAAA",
        "http://",
        "http:///x",
        "http://a.example:99999/",
        "http://a.example:0/",
        "http://a.example:x/",
        "http://[::1",
        "http://user:secret@a.example/",
        "http://a b.example/",
        "http://a.example/\x00",
        "http://a.example/\r\nHost: b",
        "http://a.example/\ud800",
        "http://a.example/" + "x" * MAX_URL_CHARS,
    ],
    ids=lambda text: ascii(text[:30]),
)
def test_urls_that_cannot(text: str) -> None:
    with pytest.raises(FetchError) as caught:
        parse_url(text)
    assert caught.value.status == FetchStatus.BAD_URL
    assert caught.value.detail.isascii()


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/y", "http://a.example/y"),
        ("y?q=1#f", "http://a.example/d/y?q=1"),
        ("?q=1", "http://a.example/d/x?q=1"),
        ("//b.example/y", "http://b.example/y"),
        ("https://b.example/%2f", "https://b.example/%2f"),
        ("/a b", "http://a.example/a%20b"),
        ("/\udcfc", "http://a.example/%FC"),
        ("/ü", "http://a.example/%C3%BC"),
        ("", "http://a.example/d/x"),
    ],
)
def test_redirect_targets(location: str, expected: str) -> None:
    assert str(join_redirect(URL("http://a.example/d/x"), location)) == expected


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://[", "http://u:p@b.example/", "mailto:x@y"])
def test_redirects_off_the_web(location: str) -> None:
    with pytest.raises(FetchError) as caught:
        join_redirect(URL("http://a.example/"), location)
    assert caught.value.status == FetchStatus.BAD_URL


def test_origin() -> None:
    assert origin(URL("http://a.example:80/x?y")) == "http://a.example"
    assert origin(URL("https://a.example:8443/x")) == "https://a.example:8443"
