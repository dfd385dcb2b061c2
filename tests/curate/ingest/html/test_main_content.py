import pytest
from selectolax.lexbor import LexborHTMLParser

from curate.ingest.html.boilerplate import find_boilerplate
from curate.ingest.html.main_content import choose_root
from curate.ingest.html.measures import sum_up
from curate.ingest.html.outline import Element, build_outline

_PROSE = "<p>" + "The prose of this article is long enough to matter. " * 4 + "</p>"


def _root(html: str) -> str:
    """Return the id of the chosen element, or its tag where it has none."""
    body = LexborHTMLParser(html).body
    assert body is not None
    nodes = build_outline(body)
    dropped = find_boilerplate(nodes)
    element = nodes[choose_root(nodes, dropped, sum_up(nodes, dropped))]
    assert isinstance(element, Element)
    return element.get("id") or element.tag


@pytest.mark.parametrize(
    ("html", "root"),
    [
        (f"<div>{_PROSE}</div><main>{_PROSE}<article id=a>{_PROSE * 2}</article></main>", "a"),
        (f"<main id=m><article>{_PROSE}</article><article>{_PROSE}</article><article>{_PROSE}</article></main>", "m"),
        (f"<div role=main id=m>{_PROSE}</div><div>{_PROSE}</div>", "m"),
        (f"<div id=b itemprop=articleBody>{_PROSE}</div><div>{_PROSE}</div>", "b"),
        (f"<article id=a>{_PROSE * 3}<article>{_PROSE}</article></article>", "a"),
        (f"<main id=m>{_PROSE * 5}<article>{_PROSE}</article></main>", "m"),
        (f"<main></main><div id=d>{_PROSE}</div>", "d"),
        ("<main id=m><img src=a.png></main>", "m"),
        ("<article id=a><img src=a.png></article>", "a"),
    ],
)
def test_semantic_elements(html: str, root: str) -> None:
    assert _root(html) == root


@pytest.mark.parametrize("name", ["entry-content", "articleBody", "post__body", "col story-text wide"])
def test_body_of_an_article_by_its_name(name: str) -> None:
    menu = f"<div>{_PROSE}</div>"
    assert _root(f"{menu}<div><div id=b class='{name}'>{_PROSE * 3}</div>{menu}</div>") == "b"
    assert _root(f"{menu}<div id=a><h1>T</h1><p>Summary</p><div class='{name}'>{_PROSE * 2}</div></div>") == "a"


def test_articles_in_the_boilerplate_are_no_candidates() -> None:
    assert _root(f"<aside><article>{_PROSE}</article></aside><div id=d>{_PROSE}</div>") == "d"


def test_densest_container_without_semantic_elements() -> None:
    menu = "<div>" + "<a href=x>A long enough link of the menu</a>" * 30 + "</div>"
    html = f"<div id=wrap>{menu}<div id=col><div id=text>{_PROSE * 3}</div><div>by someone</div></div></div>"
    assert _root(html) == "text"


def test_going_down_stops_where_a_title_would_be_left_behind() -> None:
    assert _root(f"<div id=col><h1>Title</h1><div>{_PROSE * 3}</div></div>") == "col"


def test_going_down_stops_at_a_lone_paragraph() -> None:
    assert _root(f"<div id=d>{_PROSE}<img src=a.png></div>") == "d"


def test_layout_tables_are_gone_into() -> None:
    assert _root(f"<table><tr><td>links<td id=cell>{_PROSE}</table>") == "cell"


def test_page_without_text_is_its_body() -> None:
    assert _root("") == "body"
    assert _root("<div><img src=a.png></div>") == "body"
