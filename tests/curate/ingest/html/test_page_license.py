import time

import pytest

from curate.contract.records import License
from curate.ingest.html.page import parse_page, read_page

BY = "https://creativecommons.org/licenses/by/4.0/"
BODY = "<p>A sentence of the page.</p>"


def stated(head: str = "", body: str = BODY) -> License | None:
    html = f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>"
    return read_page(html.encode("utf-8", "replace"), url="http://h/dir/page", charset="utf-8").license


def json_ld(text: str) -> str:
    return f'<script type="application/ld+json">{text}</script>'


@pytest.mark.parametrize(
    ("head", "body", "known_id", "stated_in"),
    [
        (f'<link rel="license" href="{BY}">', BODY, "CC-BY-4.0", "link rel=license"),
        ("", f'{BODY}<footer><a rel="nofollow LICENSE" href="{BY}">CC</a></footer>', "CC-BY-4.0", "a rel=license"),
        ('<meta name="DCTERMS.rights" content="CC0 1.0">', BODY, "CC0-1.0", "meta dcterms.rights"),
        ('<meta name="dc:license" content="MIT"><meta name=rights content=CC0>', BODY, "MIT", "meta dc.license"),
        ('<meta name="license" content="CC BY-SA 4.0">', BODY, "CC-BY-SA-4.0", "meta license"),
        (json_ld(f'{{"@type":"Article","license":"{BY}"}}'), BODY, "CC-BY-4.0", "json-ld"),
        (json_ld(f'{{"@graph":[{{"@type":"Person"}},{{"license":{{"@id":"{BY}"}}}}]}}'), BODY, "CC-BY-4.0", "json-ld"),
        ("", BODY + json_ld(f'[{{"license":["{BY}"]}}]'), "CC-BY-4.0", "json-ld"),
    ],
)
def test_a_page_states_its_licence(head: str, body: str, known_id: str, stated_in: str) -> None:
    found = stated(head, body)
    assert found is not None
    assert (found.id, found.stated_in) == (known_id, stated_in)


def test_the_first_by_precedence_is_taken() -> None:
    parts = [
        json_ld('{"license":"https://h/json"}'),
        '<meta name="dc.rights" content="https://h/rights">',
        '<meta name="license" content="https://h/meta">',
        '<a rel="license" href="/a">a</a>',
        '<link rel="license" href="link">',
    ]
    urls = []
    while parts:
        found = stated(body=BODY + "".join(parts))
        urls.append(None if found is None else found.url)
        parts.pop()
    assert urls == ["http://h/dir/link", "http://h/a", "https://h/meta", "https://h/rights", "https://h/json"]


@pytest.mark.parametrize(
    "html",
    [
        BODY,
        f'<a href="{BY}">CC</a>',
        f'<a rel="nolicense" href="{BY}">CC</a>',
        '<a rel="license">CC</a>',
        '<a rel="license" href="javascript:alert(1)">CC</a>',
        '<meta name="copyright" content="me"><meta name="license-x" content="MIT">',
        json_ld('{"license":'),
        json_ld("[" * 100_000 + '"license"'),
        json_ld('{"@type":"ImageObject","license":"' + BY + '"}'),
        json_ld('{"@type":["Photograph",{}],"license":"' + BY + '"}'),
        json_ld('{"author":{"license":"' + BY + '"},"@graph":"x"}'),
        json_ld('{"license":"' + "x" * (2 << 20) + '"}'),
        f'<script>var a = {{"license":"{BY}"}}</script>',
    ],
)
def test_what_is_no_statement_of_the_page_is_passed_over(html: str) -> None:
    assert stated(body=html) is None


def test_a_link_that_leads_nowhere_does_not_hide_the_next() -> None:
    found = stated(f'<link rel="license" href="javascript:x"><link rel="license" href="{BY}">')
    assert found == License(id="CC-BY-4.0", url=BY, stated_in="link rel=license")


def test_words_are_text_and_no_markup_and_never_long() -> None:
    found = stated('<meta name="rights" content="&lt;script&gt;alert(1)&lt;/script&gt; &quot;me&quot;">')
    assert found is not None
    assert (found.id, found.url, found.text) == (None, None, '<script>alert(1)</script> "me"')
    long = stated(f'<meta name="rights" content="{"me " * 3_000_000}">')
    assert long is None or len(long.text or "") <= 200


def test_many_statements_cost_little() -> None:
    began_s = time.process_time()
    stated('<meta name="license" content="?">' * 50_000 + '<a rel=license href="x:y">' * 50_000)
    assert time.process_time() - began_s < 5


def test_the_items_of_a_page_do_not_depend_on_its_licence() -> None:
    with_license = f'<html><head><link rel=license href="{BY}"></head><body>{BODY}</body></html>'
    plain = f"<html><body>{BODY}</body></html>"
    assert parse_page(with_license.encode(), url="http://h/", charset=None) == parse_page(
        plain.encode(), url="http://h/", charset=None
    )
