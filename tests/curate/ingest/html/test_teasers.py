import pytest
from selectolax.lexbor import LexborHTMLParser

from curate.ingest.html.measures import sum_up
from curate.ingest.html.outline import Element, build_outline
from curate.ingest.html.teasers import find_teasers

_PROSE = "<p>" + "The prose of this article is long enough to matter. " * 8 + "</p>"
_CARD = (
    "<div class=card><a href=/p{n}><img src={n}.jpg></a><h3><a href=/p{n}>A title of a page</a></h3> by someone</div>"
)
_CARDS = "".join(_CARD.replace("{n}", str(n)) for n in range(3))
_LINKS = "".join(f"<li><a href=/{n}>A title of a page</a></li>" for n in range(4))


def _dropped(html: str) -> list[str]:
    body = LexborHTMLParser(html).body
    assert body is not None
    nodes = build_outline(body)
    found = find_teasers(nodes, set(), sum_up(nodes, set()), root=0)
    elements = [nodes[index] for index in sorted(found)]
    return [element.get("id") or element.tag for element in elements if isinstance(element, Element)]


@pytest.mark.parametrize(
    ("html", "dropped"),
    [
        (f"{_PROSE}<div>{_CARDS}</div>", ["div"]),
        (f"{_PROSE}<h2 id=related>Related</h2><ul>{_LINKS}</ul>", ["related", "ul"]),
        (f"{_PROSE}<div id=links><a href=/a>One</a> | <a href=/b>Two</a></div>", ["links"]),
        (f"{_PROSE}<div id=box>" + "A sentence of its own. " * 12 + f"</div>{_CARDS}", ["div", "div", "div"]),
    ],
)
def test_what_leads_away(html: str, dropped: list[str]) -> None:
    assert _dropped(html) == dropped


@pytest.mark.parametrize(
    "html",
    [
        f"{_PROSE}<ul>{_LINKS}</ul>{_PROSE}",  # a list amid the text
        f"{_PROSE}<h2>Heading</h2>{_PROSE}",
        f"{_PROSE}<h2>Heading</h2><img src=a.png>",
        f"{_PROSE}<p>By <a href=/a>One</a> and <a href=/b>Two</a></p>",
        f"{_PROSE}<ol>" + "<li>Author, a <a href=/x>title</a>, the publisher of it, 2020</li>" * 5 + "</ol>",
        f"{_PROSE}<div><a href=#a>One</a> <a href=#b>Two</a></div>",  # the page's own parts
        f"{_PROSE}" + "<div><a href=a.jpg><img src=a.jpg></a>The first of several steps.</div>" * 3,
        "<div>" + _CARDS.replace("by someone", "A review of some length. " * 8) + "</div>",  # a list of reviews
        f"<ul>{_LINKS}</ul>",
        "",
    ],
)
def test_content(html: str) -> None:
    assert _dropped(html) == []


def test_what_holds_the_content_stays_whatever_its_links() -> None:
    assert _dropped("<div>" + "<a href=/x>A link of the text</a> and more, " * 30 + "</div>") == []
