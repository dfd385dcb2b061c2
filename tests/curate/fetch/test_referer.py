import pytest
from yarl import URL

from curate.fetch.referer import MAX_CHARS, referer


@pytest.mark.parametrize(
    ("page", "image", "expected"),
    [
        ("http://a.example/p?q=1#part", "http://b.example/i.jpg", "http://a.example/p?q=1"),
        ("http://a.example/p", "https://b.example/i.jpg", "http://a.example/p"),
        ("https://a.example/p", "https://b.example/i.jpg", "https://a.example/p"),
        ("https://a.example:8443/p", "http://a.example/i.jpg", "https://a.example:8443/"),
        ("https://me:secret@a.example/p", "https://a.example/i.jpg", "https://a.example/p"),
        ("https://a.example/" + "x" * MAX_CHARS, "https://a.example/i.jpg", "https://a.example/"),
        ("file:///p.html", "http://a.example/i.jpg", None),
        ("not a page", "http://a.example/i.jpg", None),
        ("http://a.example/p\r\nX: y", "http://a.example/i.jpg", None),
        (None, "http://a.example/i.jpg", None),
    ],
)
def test_what_a_request_says(page: str | None, image: str, expected: str | None) -> None:
    assert referer(page, URL(image)) == expected
