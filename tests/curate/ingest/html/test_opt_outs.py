import pytest
from selectolax.lexbor import LexborHTMLParser

from curate.ingest.html.opt_outs import PageOptOuts, find_opt_outs

_RESERVING = frozenset({"noai", "noimageai", "noindex"})


def _find(html: str) -> PageOptOuts:
    return find_opt_outs(LexborHTMLParser(html))


def test_signs_of_a_page() -> None:
    html = """<meta name=Robots content="NoAI, noimageai"><meta name="googlebot" content="noindex">
    <meta name=googlebot-news content=noai><meta name=tdm-reservation content=" 1 ">
    <meta name=tdm-policy content=/p.json>
    <meta name=description content=noai><meta name=robots content="">"""
    assert _find(html) == PageOptOuts(
        robots=(("", "noai"), ("", "noimageai"), ("googlebot", "noindex"), ("googlebot-news", "noai")),
        tdm_reservation=1,
        tdm_policy="/p.json",
    )
    assert _find("<p>") == PageOptOuts()


@pytest.mark.parametrize(
    ("html", "sign"),
    [
        ("<meta name=robots content='max-image-preview:large, NOAI'>", "meta robots: noai"),
        ("<meta name=robots content=noindex>", "meta robots: noindex"),
        ("<meta name=ourbot content=noindex>", "meta ourbot: noindex"),
        ("<meta name=googlebot content=noindex>", None),
        ("<meta name=googlebot content='index, noimageai'>", "meta googlebot: noimageai"),
        ("<meta name=robots content='index, follow'>", None),
        ("<meta name=tdm-reservation content=1>", "meta tdm-reservation: 1"),
        ("<meta name=tdm-reservation content=0>", None),
        ("<meta name=tdm-reservation content=yes>", None),
    ],
)
def test_what_reserves(html: str, sign: str | None) -> None:
    assert _find(html).reserving(_RESERVING, agent="ourbot") == sign


def test_the_stricter_of_two_reservations_counts() -> None:
    html = "<meta name=tdm-reservation content=1><meta name=tdm-reservation content=0>"
    assert _find(html).tdm_reservation == 1
