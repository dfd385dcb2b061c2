import pytest
from selectolax.lexbor import LexborHTMLParser

from curate.contract.reasons import Modality
from curate.contract.records import Item
from curate.ingest.html.blocks import extract_content
from curate.ingest.html.outline import Element, build_outline


def _items(html: str, *, drop: str = "") -> tuple[Item, ...]:
    body = LexborHTMLParser(html).body
    assert body is not None
    nodes = build_outline(body)
    dropped = {i for i, node in enumerate(nodes) if isinstance(node, Element) and node.tag == drop}
    return extract_content(nodes, dropped, root=0, base_url="http://a/b/").items


def _flat(html: str, *, drop: str = "") -> list[str]:
    return [item.image_url or item.text or "" for item in _items(html, drop=drop)]


@pytest.mark.parametrize(
    ("html", "flat"),
    [
        ("", []),
        (" \n&nbsp;<p> </p>", []),
        ("<h1>a</h1><p>b\n  <b>c</b>d</p>e", ["a", "b cd", "e"]),
        ("<ul><li>a<ul><li>b</li></ul>c</li><li><p>d</p><p>e</p></ul>", ["a", "b", "c", "d", "e"]),
        ("<blockquote><p>a</p><p>b</p></blockquote>", ["a", "b"]),
        ("<dl><dt>a<dd>b</dl>", ["a", "b"]),
        ("<figure><img src=i.png><figcaption>a</figcaption></figure>", ["http://a/b/i.png", "a"]),
        ("<p>a <a href=x>link</a>, b</p>", ["a link, b"]),
        ("<div>a<div>b</div>c</div>", ["a", "b", "c"]),
        ("a<br>b<br><br>c<br> <br>d", ["a b", "c", "d"]),
        ("a<hr>b", ["a", "b"]),
    ],
)
def test_one_item_per_block(html: str, flat: list[str]) -> None:
    assert _flat(html) == flat


def test_image_inside_a_paragraph_parts_it() -> None:
    first, image, last = _items('<p>a <a href=x><img src="i.png" alt=" a  cat "></a> b</p>')
    assert (first.text, last.text) == ("a", "b")
    assert image == Item(modality=Modality.IMAGE, image_url="http://a/b/i.png", alt_text="a cat")


def test_blank_alt_text_is_null() -> None:
    assert [item.alt_text for item in _items("<img src=a alt=''><img src=b><img src=c alt>")] == [None, None, None]


def test_image_without_an_address_is_no_item() -> None:
    assert _flat("a<img alt=x>b<img src='data:,x'>") == ["ab"]


@pytest.mark.parametrize(
    ("html", "flat"),
    [
        ("<p>soft&shy;ware zero&#8203;width&#xfeff;</p>", ["software zerowidth"]),
        ("<p>&shy;&#8203;</p><p>&zwj;</p><p>&lrm; &rlm;</p>", []),
        ("<p>&#x645;&#x6cc;&zwnj;&#x62e;</p>", ["\u0645\u06cc\u200c\u062e"]),
        ("<pre>a&shy;b</pre>", ["ab"]),
    ],
)
def test_marks_without_meaning_go(html: str, flat: list[str]) -> None:
    assert _flat(html) == flat


def test_odd_addresses_are_kept() -> None:
    assert _flat('<img src="http://[x"><img src="ftp://c/i">') == ["http://[x", "ftp://c/i"]


def test_picture_uses_its_own_sources_only() -> None:
    html = "<picture><source srcset=w.webp><img></picture><picture><img src=i.png></picture>"
    assert _flat(html) == ["http://a/b/w.webp", "http://a/b/i.png"]


def test_preformatted_text_keeps_its_white_space() -> None:
    assert _flat("a<pre>\n  if x:\n\ty = 1\n\n</pre>b") == ["a", "  if x:\n\ty = 1", "b"]
    assert _flat("<pre><div>one</div><div>two</div>a<br>b</pre>") == ["one\ntwo\na\nb"]
    assert _flat("<pre>a <img src=i.png> b</pre>") == ["a", "http://a/b/i.png", " b"]


def test_table_of_data_is_one_line_per_row() -> None:
    html = "<table><caption>t</caption><tr><th>a<th>b</tr><tr><td><p>c</p></td><td></td><td>d <b>e</b><br>f</table>"
    assert _flat(html) == ["t", "a | b", "c | d e f"]


def test_table_of_layout_is_read_as_blocks() -> None:
    assert _flat("<table><tr><td>a<td><h2>b</h2><p>c</p><ul><li>d</ul></table>") == ["a", "b", "c", "d"]
    assert _flat("<table><tr><td><table><tr><td>a<td>b</table><td>c<td>d</table>") == ["a | b", "c", "d"]
    assert _flat("<table><tr><td><p>a</p><p>b</p></table>") == ["a", "b"]


def test_image_in_a_row_stands_at_its_place() -> None:
    assert _flat("<table><tr><td>a<td><img src=i.png><td>b</table>") == ["a", "http://a/b/i.png", "b"]


def test_dropped_inline_element_leaves_no_gap_and_a_block_leaves_one() -> None:
    assert _flat("<p>a<i>x</i>b</p>", drop="i") == ["ab"]
    assert _flat("a<div>x</div>b", drop="div") == ["a b"]
