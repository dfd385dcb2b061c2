import pytest

from curate.ingest.html.page import read_page

_REAL = "<noscript><img src=/f/real.jpg></noscript>"


def _urls(html: str) -> list[str]:
    page = read_page(f"<p>text</p>{html}<p>text</p>".encode(), url="http://a/", charset="utf-8")
    assert page.num_missing_images == 0
    return [item.image_url for item in page.items if item.image_url]


@pytest.mark.parametrize(
    "html",
    [
        _REAL,
        f"<div><img src='data:image/gif;base64,R0'>{_REAL}</div>",
        f"<div><img alt=x width=687>{_REAL}</div>",
        f"<div>{_REAL}<img src='data:,' class=lazy></div>",
        f"<figure><div><div><img src=/60/real.jpg></div><div><img>{_REAL}</div></div></figure>",
        f"<div><img src=/spinner.svg>{_REAL}</div>",
        f"<amp-img src=/f/real.jpg>{_REAL}</amp-img>",
        "<div><img src=/f/real.jpg><noscript><img src=/f/real.jpg></noscript></div>",
    ],
)
def test_picture_of_a_noscript_stands_once(html: str) -> None:
    assert _urls(html) == ["http://a/f/real.jpg"]


def test_other_pictures_stay() -> None:
    assert _urls(f"<div><img src=/f/one.jpg></div><p>text</p><div>{_REAL}</div>") == [
        "http://a/f/one.jpg",
        "http://a/f/real.jpg",
    ]
    assert _urls(f"<section><div><img src=/f/one.jpg></div>{_REAL}</section>") == [
        "http://a/f/one.jpg",
        "http://a/f/real.jpg",
    ]


def test_counting_pixels_are_no_pictures() -> None:
    assert _urls("<noscript><img src=/tr?id=1 width=1 height=1></noscript>") == []


def test_alternative_text_of_the_stand_in_is_kept() -> None:
    page = read_page(f"<div><img alt='A cat'>{_REAL}</div>".encode(), url="http://a/", charset=None)
    assert [item.alt_text for item in page.items] == ["A cat"]
