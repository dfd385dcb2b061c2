import pytest

from curate.ingest.html.page import parse_page

_PROSE = "<p>" + "The prose of this article is long enough to matter. " * 8 + "</p>"
_BODY = f"<div class=article-body>{_PROSE * 6}</div>"
_FIGURE = "<figure><img src=/lead.jpg><figcaption>The bridge</figcaption></figure>"


def _flat(html: str) -> list[str]:
    items = parse_page(html.encode(), url="http://a/", charset="utf-8")
    return [item.image_url or (item.text or "")[:10] for item in items if (item.text or "")[:9] != "The prose"]


@pytest.mark.parametrize(
    ("html", "flat"),
    [
        (
            f"<div><h1>T</h1>{_FIGURE}</div><div>{_BODY}<div>{_PROSE}</div></div>",
            ["T", "http://a/lead.jpg", "The bridge"],
        ),
        (f"<div><h1>T</h1><p>By Ann</p></div><div>{_BODY}<div>{_PROSE}</div></div>", ["T"]),
        (f"<div>{_FIGURE}</div><div>{_BODY}<div>{_PROSE}</div></div>", []),
        (f"<div><h1>S</h1>{_PROSE * 2}</div><div>{_BODY}<div>{_PROSE}</div></div>", []),
        (f"<nav><h1>S</h1></nav><div>{_BODY}<div>{_PROSE}</div></div>", []),
        (f"<div>{_BODY}<div>{_PROSE}</div></div><h1>S</h1>", []),
    ],
)
def test_what_stands_above_the_text(html: str, flat: list[str]) -> None:
    assert _flat(html) == flat
