import pytest

from curate.ingest.urls import resolve_url

_BASE = "https://a.org/blog/post.html?x=1"


@pytest.mark.parametrize(
    ("raw", "url"),
    [
        ("https://b.org/i.png", "https://b.org/i.png"),
        ("i.png", "https://a.org/blog/i.png"),
        ("/i.png", "https://a.org/i.png"),
        ("//cdn.org/i.png", "https://cdn.org/i.png"),
        ("?w=2", "https://a.org/blog/post.html?w=2"),
        (" i\n.png\t", "https://a.org/blog/i.png"),
        ("ftp://b.org/i.png", "ftp://b.org/i.png"),
        ("data:image/png;base64,AAAA", "data:image/png;base64,AAAA"),
        ("http://[broken/i.png", "http://[broken/i.png"),
        ("", ""),
    ],
)
def test_resolve(raw: str, url: str) -> None:
    assert resolve_url(_BASE, raw) == url


def test_without_a_base_the_url_stays() -> None:
    assert resolve_url(None, " i.png ") == "i.png"


def test_body_of_a_data_url_is_cut_off() -> None:
    assert len(resolve_url(_BASE, "DATA:image/png;base64," + "A" * 1_000_000)) == 65
