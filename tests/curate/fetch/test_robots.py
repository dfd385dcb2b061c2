import asyncio

import pytest
from yarl import URL

from curate.contract.reasons import FetchStatus
from curate.fetch.errors import FetchError
from curate.fetch.robots import MAX_STORED_ORIGINS, Robots, Rules, RulesStore, parse_robots

TEXT = b"""User-agent: *
Disallow: /all/
Allow: /all/but-*.jpg$

User-agent: Vila-Curate
Disallow: /ours
"""


def allowed(text: bytes, path: str) -> bool:
    try:
        Rules(parse_robots(text)).check(URL("http://a.example").with_path(path))
    except FetchError:
        return False
    return True


def test_a_refusal_names_the_file() -> None:
    with pytest.raises(FetchError, match=r"http://a\.example/robots\.txt disallows /ours") as caught:
        Rules(parse_robots(TEXT)).check(URL("http://a.example/ours/x?y"))
    assert caught.value.status == FetchStatus.ROBOTS_DISALLOWED


def test_our_own_group_counts_and_only_it() -> None:
    assert not allowed(TEXT, "/ours/x")
    assert allowed(TEXT, "/all/x")


def test_wildcards_and_the_longest_match() -> None:
    everyone = TEXT.partition(b"\n\n")[0]
    assert not allowed(everyone, "/all/x")
    assert allowed(everyone, "/all/but-this.jpg")
    assert not allowed(everyone, "/all/but-this.jpg.exe")


@pytest.mark.parametrize("text", [b"", b"<html>no rules</html>", b"\xff\xfe\0garbage", b"Disallow: /"])
def test_files_without_rules_allow(text: bytes) -> None:
    assert allowed(text, "/x")


def test_a_byte_order_mark_hides_no_group() -> None:
    assert not allowed(b"\xef\xbb\xbfUser-agent: *\nDisallow: /", "/x")


class Origin:
    def __init__(self, answer: bytes | FetchError) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def fetch(self, url: URL) -> bytes:
        self.asked.append(str(url))
        await asyncio.sleep(0.005)
        if isinstance(self.answer, FetchError):
            raise self.answer
        return self.answer


def check_many(origin: Origin, store: RulesStore, urls: list[str]) -> list[FetchStatus]:
    async def main() -> list[FetchStatus]:
        robots = Robots(origin.fetch, store=store)
        results = await asyncio.gather(*(robots.check(URL(url)) for url in urls), return_exceptions=True)
        return [result.status if isinstance(result, FetchError) else FetchStatus.OK for result in results]

    return asyncio.run(main())


def test_an_origin_is_asked_once_even_at_once_and_later() -> None:
    origin, store = Origin(TEXT), RulesStore()
    urls = ["http://a.example/ours", "http://a.example/x", "http://a.example:80/y"]
    assert check_many(origin, store, urls) == ["robots_disallowed", "ok", "ok"]
    assert check_many(origin, store, urls) == ["robots_disallowed", "ok", "ok"]
    assert origin.asked == ["http://a.example/robots.txt"]


def test_scheme_and_port_are_origins_of_their_own() -> None:
    origin = Origin(b"")
    check_many(origin, RulesStore(), ["http://a.example/", "https://a.example/", "http://a.example:8080/"])
    assert len(origin.asked) == 3


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("http_404", "ok"),
        ("http_4xx", "ok"),
        ("http_410", "ok"),
        ("empty_body", "ok"),
        ("too_many_redirects", "ok"),
        ("http_429", "robots_unreachable"),
        ("http_5xx", "robots_unreachable"),
        ("timeout", "robots_unreachable"),
        ("protocol_error", "robots_unreachable"),
        ("connect_error", "connect_error"),
        ("dns_error", "dns_error"),
        ("forbidden_address", "forbidden_address"),
        ("tls_error", "tls_error"),
    ],
)
def test_files_that_cannot_be_had(status: str, expected: str) -> None:
    origin, store = Origin(FetchError(FetchStatus(status), "why")), RulesStore()
    assert check_many(origin, store, ["http://a.example/x"] * 2) == [expected] * 2
    assert len(origin.asked) == 1
    check_many(origin, store, ["http://a.example/x"])
    assert len(origin.asked) == (1 if expected == "ok" else 2)  # a dead host is asked again by the next call


def test_the_store_forgets_the_oldest() -> None:
    store, rules = RulesStore(), Rules(None)
    for number in range(MAX_STORED_ORIGINS + 1):
        store.put(str(number), rules)
    assert store.get("0") is None
    assert store.get("1") is rules
