import pytest

from curate.ingest.urls import page_key, resolve_url

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
        (r"images\photo one.jpg", "https://a.org/blog/images/photo%20one.jpg"),
        (r"\top\c.jpg", "https://a.org/top/c.jpg"),
        (r"https:\\b.org\i.png", "https://b.org/i.png"),
        ("../../../i.png", "https://a.org/i.png"),
        ("a/./b/%2e%2E/i.png", "https://a.org/blog/a/i.png"),
        ("i.png#top", "https://a.org/blog/i.png"),
        ("https:i.png", "https://a.org/blog/i.png"),
        ("https:/b.org/i.png", "https://a.org/b.org/i.png"),
        ("http:b.org/i.png", "http://b.org/i.png"),
        ("HTTP://B.org:80/i.png", "http://b.org/i.png"),
        ("https://b.org", "https://b.org/"),
        ("https://ex%41mple.org/i.png", "https://example.org/i.png"),
        ("https://faß.org/ä.png?ö=ü", "https://xn--fa-hia.org/%C3%A4.png?%C3%B6=%C3%BC"),
        ("https://0x7f.1/i.png", "https://127.0.0.1/i.png"),
        ("https://b.org/a|b^c`{d}.png?x|y", "https://b.org/a|b%5Ec%60%7Bd%7D.png?x|y"),
        ("https://b.org/100%.png", "https://b.org/100%.png"),
        ("mailto:x@b.org", "mailto:x@b.org"),
        ("https://b.org:99999/i.png", "https://b.org:99999/i.png"),
        ("\ud800.png", "\ud800.png"),
        ("data:image/png;base64,AAAA", "data:image/png;base64,AAAA"),
        ("http://[broken/i.png", "http://[broken/i.png"),
        ("", ""),
    ],
)
def test_resolve(raw: str, url: str) -> None:
    assert resolve_url(_BASE, raw) == url


def test_without_a_base_the_url_stays() -> None:
    assert resolve_url(None, " i.png ") == "i.png"
    assert resolve_url(None, "HTTP://A.org/b c.png#x") == "http://a.org/b%20c.png"
    assert resolve_url(None, "ftp://A.org/i.png") == "ftp://A.org/i.png"
    assert resolve_url("", "//a.org/i.png") == "//a.org/i.png"


def test_a_url_longer_than_any_server_takes_is_not_resolved() -> None:
    assert resolve_url(_BASE, "a" * 100_000) == "a" * 100_000


def test_body_of_a_data_url_is_cut_off() -> None:
    assert len(resolve_url(_BASE, "DATA:image/png;base64," + "A" * 1_000_000)) == 65


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://A.org/p?utm_source=x&utm_medium=y", "https://a.org/p"),
        ("https://a.org/p?id=7&fbclid=Iw&b=%20&b=+&gclid=1#top", "https://a.org/p?id=7&b=%20&b=+"),
        ("https://a.org/p?UTM_Source=x&mc_cid=1&mc_eid=2&igshid=3", "https://a.org/p"),
        ("https://a.org/p?hsCtaTracking=1&pk_campaign=2&q", "https://a.org/p?q"),
        ("https://a.org/p?b=1&a=2&&", "https://a.org/p?b=1&a=2&&"),
        ("https://a.org/p?source=x&ref=y&outm_source=z", "https://a.org/p?source=x&ref=y&outm_source=z"),
        ("https://a.org/p?", "https://a.org/p?"),
        ("https://a.org/utm_source=x", "https://a.org/utm_source=x"),
        ("http://a.org/p?next=/q?utm_source=x", "http://a.org/p?next=/q?utm_source=x"),
        ("not a url?gclid=1", "not a url"),
    ],
)
def test_a_page_is_the_same_whoever_has_linked_to_it(url: str, key: str) -> None:
    assert page_key(url, without_tracking=True) == key


def test_tracking_parameters_stay_unless_they_are_to_go() -> None:
    assert page_key("HTTPS://a.org/p?utm_source=x#top", without_tracking=False) == "https://a.org/p?utm_source=x"
