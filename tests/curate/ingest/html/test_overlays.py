from selectolax.lexbor import LexborHTMLParser

from curate.ingest.html.outline import build_outline
from curate.ingest.html.overlays import find_drawings

_LABEL = '<div style="top:4.8%;margin-top:-16px;left:96%">9{0}</div>'


def _count(html: str) -> int:
    body = LexborHTMLParser(html).body
    assert body is not None
    return len(find_drawings(build_outline(body)))


def test_picture_under_labels() -> None:
    assert _count(f"<div><img src=a.png>{_LABEL * 3}</div>") == 1


def test_other_blocks_stay() -> None:
    assert _count(f"<div><img src=a.png>{_LABEL * 2}</div>") == 0
    assert _count(f"<div>{_LABEL * 3}</div>") == 0
    assert _count("<div><img src=a.png>" + '<p style="margin-top:1px;margin-left:2px">a</p>' * 3 + "</div>") == 0
    assert _count(f"<div><img src=a.png>{_LABEL.format('A sentence. ' * 20) * 3}</div>") == 0
