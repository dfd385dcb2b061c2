import pytest
from selectolax.lexbor import LexborHTMLParser

from curate.ingest.html.bounds import MAX_CHARS, bound_html


@pytest.mark.parametrize(
    "page",
    [
        "",
        "<p>a <b>b</b> &lt;</p>" * 500,
        "<div>" * 10_000 + "x",
        '<img src="data:image/png;base64,' + "A" * 99_999 + '">',
    ],
)
def test_ordinary_pages_come_back_unchanged(page: str) -> None:
    assert bound_html(page) == page


def test_length_is_bounded() -> None:
    assert len(bound_html("x" * (MAX_CHARS + 1))) == MAX_CHARS


def test_unclosed_formatting_does_not_multiply() -> None:
    page = "".join(f"<p><b id={i}>t{i}" for i in range(2000))
    bounded = bound_html(page)
    assert "<b" not in bounded
    assert LexborHTMLParser(bounded).text(separator=" ").split() == [f"t{i}" for i in range(2000)]


def test_what_nests_deeper_than_ten_thousand_is_cut_off() -> None:
    assert bound_html("<div>" * 30_000) == "<div>" * 10_000


def test_many_siblings_are_not_deep() -> None:
    page = "<div>x</div><li>y<br>" * 15_000
    assert bound_html(page) == page


def test_crowded_tag_is_taken_out() -> None:
    crowd = "<div " + " ".join(f"a{i}=1" for i in range(5000)) + ">"
    assert bound_html(f"<p>a{crowd}b") == "<p>ab"
