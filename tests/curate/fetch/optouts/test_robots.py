import asyncio

import pytest
from yarl import URL

from curate.contract.reasons import FetchStatus
from curate.fetch.config import FetchConfig
from curate.fetch.errors import FetchError, HostGivenUpError
from curate.fetch.optouts.headers import Checks
from curate.fetch.optouts.origins import OriginStore
from curate.fetch.optouts.robots import Robots, Rules, parse_robots

TEXT = b"""User-agent: *
Disallow: /all/
Allow: /all/but-*.jpg$

User-agent: Vila-Curate
Disallow: /ours
"""


def allowed(text: bytes, path: str) -> bool:
    try:
        Rules(parse_robots(text)).check(URL("http://a.example").with_path(path), Checks())
    except FetchError:
        return False
    return True


def test_a_refusal_names_the_file() -> None:
    with pytest.raises(FetchError, match=r"http://a\.example/robots\.txt disallows /ours") as caught:
        Rules(parse_robots(TEXT)).check(URL("http://a.example/ours/x?y"), Checks())
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


def check_many(origin: Origin, store: OriginStore[Rules], urls: list[str]) -> list[FetchStatus]:
    async def main() -> list[FetchStatus]:
        robots = Robots(origin.fetch, config=FetchConfig(), store=store)
        results = await asyncio.gather(*(robots.check(URL(url), Checks()) for url in urls), return_exceptions=True)
        return [result.status if isinstance(result, FetchError) else FetchStatus.OK for result in results]

    return asyncio.run(main())


def test_an_origin_is_asked_once_even_at_once_and_later() -> None:
    origin, store = Origin(TEXT), OriginStore[Rules]()
    urls = ["http://a.example/ours", "http://a.example/x", "http://a.example:80/y"]
    assert check_many(origin, store, urls) == ["robots_disallowed", "ok", "ok"]
    assert check_many(origin, store, urls) == ["robots_disallowed", "ok", "ok"]
    assert origin.asked == ["http://a.example/robots.txt"]


def test_scheme_and_port_are_origins_of_their_own() -> None:
    origin = Origin(b"")
    check_many(origin, OriginStore[Rules](), ["http://a.example/", "https://a.example/", "http://a.example:8080/"])
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
    origin, store = Origin(FetchError(FetchStatus(status), "why")), OriginStore[Rules]()
    assert check_many(origin, store, ["http://a.example/x"] * 2) == [expected] * 2
    assert len(origin.asked) == 1
    check_many(origin, store, ["http://a.example/x"])
    assert len(origin.asked) == (1 if expected == "ok" else 2)  # a dead host is asked again by the next call


@pytest.mark.parametrize(
    ("options", "robots", "content_usage"),
    [
        ({}, "disallowed", None),
        ({"respect_robots": False}, None, "train-ai=n"),
        ({"respect_content_usage": False}, "disallowed", None),
        ({"respect_robots": False, "respect_content_usage": False}, None, None),
    ],
)
def test_what_was_found_is_taken_down(options: dict[str, bool], robots: str | None, content_usage: str | None) -> None:
    origin, checks = Origin(b"User-agent: *\nDisallow: /x\nContent-Usage: train-ai=n\n"), Checks()

    async def main() -> None:
        asked = Robots(origin.fetch, config=FetchConfig(**options), store=OriginStore())
        await asyncio.gather(asked.check(URL("http://a.example/x"), checks), return_exceptions=True)

    asyncio.run(main())
    assert (checks.robots, checks.content_usage) == (robots, content_usage)
    assert len(origin.asked) == (0 if len(options) > 1 else 1)


def test_unreachable_files_are_taken_down_and_matter_only_where_they_are_obeyed() -> None:
    async def main(config: FetchConfig, checks: Checks) -> None:
        origin = Origin(FetchError(FetchStatus.HTTP_5XX, "why"))
        await Robots(origin.fetch, config=config, store=OriginStore()).check(URL("http://a.example/x"), checks)

    checks = Checks()
    with pytest.raises(HostGivenUpError):
        asyncio.run(main(FetchConfig(), checks))
    assert checks == Checks(robots="unreachable")
    checks = Checks()
    asyncio.run(main(FetchConfig(respect_robots=False), checks))
    assert checks == Checks(content_usage="")
