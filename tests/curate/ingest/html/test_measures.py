from selectolax.lexbor import LexborHTMLParser

from curate.ingest.html.measures import sum_up
from curate.ingest.html.outline import Element, build_outline


def test_sums_of_the_live_parts() -> None:
    links = "<a href=/x>cd <b>e</b></a><a href=#n>f</a><a href=/y><img src=a></a>"
    body = LexborHTMLParser(f"<p>ab {links}</p><nav>gone<img></nav>h").body
    assert body is not None
    nodes = build_outline(body)
    sums = sum_up(nodes, {i for i, node in enumerate(nodes) if isinstance(node, Element) and node.tag == "nav"})
    assert {len(each) for each in (sums.text, sums.linked, sums.links, sums.prose)} == {len(nodes) + 1}
    assert (sums.text[-1], sums.linked[-1], sums.links[-1], sums.prose[-1]) == (7, 3, 1, 0)
    first = nodes[1]
    assert isinstance(first, Element)
    assert sums.text[first.end] - sums.text[1] == 6
    assert sums.running(1, first) == 3
