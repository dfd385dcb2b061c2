import time

import pytest

from curate.fetch.refresh import refresh_target


@pytest.mark.parametrize(
    ("content", "target"),
    [
        ("0;url=/x", "/x"),
        ("0; URL='/x y'", "/x y"),
        ("5,/x", "/x"),
        (" 1.5 ; url = http://e.example/x ", "http://e.example/x"),
        ("0 url=/x", "/x"),
        (";url=/x", "/x"),
        ("6;url=/x", None),
        ("300", None),
        ("0;", None),
        ("0;url=''", None),
        ("soon;url=/x", None),
        ("", None),
    ],
)
def test_where_a_page_leads(content: str, target: str | None) -> None:
    assert refresh_target(f'<meta http-equiv="Refresh" content="{content}">'.encode()) == target


def test_pages_that_stay() -> None:
    assert refresh_target(b"<p>words") is None
    assert refresh_target(b"<noscript><meta http-equiv=refresh content='0;url=/no-script'></noscript>") is None


def test_the_first_one_counts() -> None:
    tag = '<meta http-equiv=refresh content="{}">'
    assert refresh_target((tag.format("30;url=/a") + tag.format("0;url=/b")).encode()) is None


@pytest.mark.parametrize("part", [" ", "0", ".", ";", "url=", "'"])
def test_hostile_contents_take_no_time(part: str) -> None:
    start_s = time.perf_counter()
    refresh_target(f'<meta http-equiv=refresh content="{part * (4_000 // len(part))}">'.encode())
    assert time.perf_counter() - start_s < 1
