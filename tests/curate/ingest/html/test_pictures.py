import pytest
from selectolax.lexbor import LexborHTMLParser

from curate.ingest.html.measures import sum_up
from curate.ingest.html.outline import Element, build_outline
from curate.ingest.html.pictures import find_foreign_images, read_size, url_path


def _foreign(html: str) -> int:
    body = LexborHTMLParser(html).body
    assert body is not None
    nodes = build_outline(body)
    return len(find_foreign_images(nodes, set(), sum_up(nodes, set()), root=0))


@pytest.mark.parametrize(
    "html",
    [
        "<img src=a.gif width=1 height=1>",
        "<img src=a.png style='width: 24px'>",
        "<img src=/img/logo.png>",
        "<img src=/avatars/17.jpg width=96 height=96>",
        "<img src=a.jpg class=avatar>",
        "<div class=author-box><img src=a.jpg width=100 height=100></div>",
        "<div class=userProfile><img src=/u/90x90.jpg></div>",
        "<div><a href=/p><img src=a.jpg></a><h3><a href=/p>A title</a></h3></div>",
        "<img src=/s/thumb_110x70.jpg>",
        "<a href=/><img src=a.jpg></a>",
        "<button><img src=copy.svg></button>",
    ],
)
def test_foreign(html: str) -> None:
    assert _foreign(f"<p>text</p>{html}") == 1


@pytest.mark.parametrize(
    "html",
    [
        "<img src=a.jpg>",
        "<img src=a.jpg width=640 height=480>",
        "<img src=a.jpg width=570 height=0>",
        "<img src=p.gif width=1 height=1 data-hires=a.jpg>",
        "<img src=lexicon.jpg>",  # part of a word
        "<img src=new-file-button.png alt='The button for a new file'>",
        "<img src=new-file-button.png alt='\u65b0\u3057\u3044\u30d5\u30a1\u30a4\u30eb\u30dc\u30bf\u30f3'>",
        "<a href=/album/17><img src=a.jpg></a>",
        "<a href=/wiki/File:A.jpg><img src=a.jpg></a>",
        "<a href=a.jpg><img src=a_120x80.jpg width=400></a><a href=a.jpg>A larger one</a>",
        "<figure><img src=/logo/a.jpg><figcaption>The sign of the town</figcaption></figure>",
        "<a href=/p><img src=a.jpg></a><p>A bridge, as <a href=/p>that page</a> has it, and some more words.</p>",
        "<img src=a.png width=1600 height=190>",
    ],
)
def test_of_the_content(html: str) -> None:
    assert _foreign(f"<p>text</p>{html}") == 0


def test_a_sign_is_shown_at_every_place() -> None:
    assert _foreign("<a href=/a><img src=a.jpg width=80></a><a href=/b><img src=a.jpg width=80></a>") == 2


@pytest.mark.parametrize(
    ("attrs", "size"),
    [
        ({"width": "640", "height": "480px"}, (640, 480)),
        ({"width": "100%", "height": "auto"}, (None, None)),
        ({"width": "33.5"}, (33, None)),
        ({"style": "max-width:10px; WIDTH : 20.5px;height:9em"}, (20, None)),
        ({"width": "9" * 5000, "height": "²"}, (None, None)),
    ],
)
def test_size_as_stated(attrs: dict[str, str | None], size: tuple[int | None, int | None]) -> None:
    assert read_size(Element(tag="img", attrs=attrs, parent=0)) == size


def test_path_of_what_is_no_url() -> None:
    assert (url_path("http://[x/a"), url_path("http://a/b?c")) == ("", "/b")
