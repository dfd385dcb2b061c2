import asyncio

import pytest

from curate.contract.reasons import FetchStatus
from curate.fetch.client import Body, Client
from curate.fetch.config import FetchConfig
from curate.fetch.errors import FetchError
from curate.fetch.robots import RulesStore
from tests.curate.fetch.fake_transport import FakeResponse, FakeTransport, refused

A, B = "http://a.example/x", "http://b.example/y"
QUICK = FetchConfig(backoff_s=0.001, max_wait_s=1)


def moved(location: str) -> FakeResponse:
    return FakeResponse(status=301, headers={"Location": location})


def robots(text: str) -> FakeResponse:
    return FakeResponse(text.encode())


def fetch(transport: FakeTransport, url: str = A, *, config: FetchConfig = QUICK) -> Body:
    async def main() -> Body:
        client = Client(transport, config=config, rules=RulesStore())
        async with client.fetch(url, accept="image/*") as body:
            return body

    return asyncio.run(main())


def failure(transport: FakeTransport, url: str = A, *, config: FetchConfig = QUICK) -> FetchError:
    with pytest.raises(FetchError) as caught:
        fetch(transport, url, config=config)
    return caught.value


def test_a_body_and_where_it_came_from() -> None:
    response = FakeResponse(b"data", headers={"X": "y"})
    transport = FakeTransport({A: [moved(B)], B: [response]})
    body = fetch(transport, A + "#part")
    assert (body.data, body.final_url, body.http_status, body.headers["x"]) == (b"data", B, 200, "y")
    assert transport.requested == ["http://a.example/robots.txt", A, "http://b.example/robots.txt", B]
    assert transport.headers[1]["User-Agent"].startswith("vila-curate/")
    assert transport.headers[1]["Accept"] == "image/*"
    assert response.closed


def test_robots_txt_is_asked_before_every_hop() -> None:
    transport = FakeTransport({A: [moved(B)], "http://b.example/robots.txt": [robots("User-agent: *\nDisallow: /y")]})
    assert failure(transport).status == FetchStatus.ROBOTS_DISALLOWED
    assert B not in transport.requested


def test_robots_txt_can_be_ignored() -> None:
    transport = FakeTransport(
        {A: [FakeResponse(b"x")], "http://a.example/robots.txt": [robots("User-agent: *\nDisallow: /")]}
    )
    assert failure(transport).status == FetchStatus.ROBOTS_DISALLOWED
    assert fetch(transport, config=FetchConfig(respect_robots=False)).data == b"x"


def test_robots_txt_that_redirects_and_is_too_long() -> None:
    text = "User-agent: *\nDisallow: /x\n" + "# padding\n" * 60_000 + "Disallow: /z\n"
    transport = FakeTransport(
        {
            "http://a.example/robots.txt": [moved("http://b.example/r")],
            "http://b.example/r": [robots(text)],
            "http://a.example/z": [FakeResponse(b"x")],
        }
    )
    assert failure(transport).status == FetchStatus.ROBOTS_DISALLOWED
    assert fetch(transport, "http://a.example/z").data == b"x"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (FakeResponse(status=503), FetchStatus.ROBOTS_UNREACHABLE),
        (FakeResponse(status=429), FetchStatus.ROBOTS_UNREACHABLE),
        (FetchError(FetchStatus.TIMEOUT, "slow"), FetchStatus.ROBOTS_UNREACHABLE),
        (refused(), FetchStatus.CONNECT_ERROR),
        (FetchError(FetchStatus.DNS_ERROR, "no name"), FetchStatus.DNS_ERROR),
    ],
)
def test_robots_txt_that_cannot_be_had(answer: FakeResponse | FetchError, status: FetchStatus) -> None:
    transport = FakeTransport({A: [FakeResponse(b"x")], "http://a.example/robots.txt": [answer]})
    assert failure(transport).status == status
    assert A not in transport.requested


def test_opt_outs_can_be_ignored() -> None:
    transport = FakeTransport({A: [FakeResponse(b"x", headers={"X-Robots-Tag": "noai"})]})
    assert failure(transport).status == FetchStatus.OPTED_OUT
    assert transport.requested.count(A) == 1
    assert fetch(transport, config=FetchConfig(respect_x_robots=False)).data == b"x"


def test_transient_faults_are_tried_again() -> None:
    transport = FakeTransport({A: [refused(), FakeResponse(status=503), FakeResponse(b"x")]})
    assert fetch(transport).data == b"x"
    transport = FakeTransport({A: [refused(), refused(), refused(), FakeResponse(b"x")]})
    assert failure(transport).status == FetchStatus.CONNECT_ERROR
    assert transport.requested.count(A) == 3


def test_other_faults_are_not() -> None:
    for answer in (FakeResponse(status=403), FakeResponse(status=501), FetchError(FetchStatus.TLS_ERROR, "x")):
        transport = FakeTransport({A: [answer, FakeResponse(b"x")]})
        failure(transport)
        assert transport.requested.count(A) == 1


def test_a_host_that_asks_for_too_long_a_wait_is_left_alone() -> None:
    transport = FakeTransport({A: [FakeResponse(status=429, headers={"Retry-After": "2"}), FakeResponse(b"x")]})
    error = failure(transport)
    assert (error.status, error.http_status, error.retry_after_s) == (FetchStatus.HTTP_429, 429, 2.0)
    assert transport.requested.count(A) == 1


def test_redirects_are_capped_and_circles_found_at_once() -> None:
    chain = FakeTransport({f"http://a.example/{n}": [moved(f"/{n + 1}")] for n in range(9)})
    error = failure(chain, "http://a.example/0", config=FetchConfig(max_redirects=3))
    assert (error.status, error.http_status) == (FetchStatus.TOO_MANY_REDIRECTS, 301)
    assert len(chain.requested) == 1 + 4
    circle = FakeTransport({A: [moved("/y")], "http://a.example/y": [moved("/x")]})
    assert "circle" in failure(circle).detail
    assert len(circle.requested) == 1 + 2


def test_a_redirect_that_leads_off_the_web() -> None:
    error = failure(FakeTransport({A: [moved("file:///etc/passwd")]}))
    assert (error.status, error.http_status) == (FetchStatus.BAD_URL, 301)


def test_an_empty_body() -> None:
    assert failure(FakeTransport({A: [FakeResponse(b"")]})).status == FetchStatus.EMPTY_BODY


def test_headers_can_be_refused_before_the_body() -> None:
    async def main() -> None:
        client = Client(FakeTransport({A: [FakeResponse(b"x")]}), config=QUICK, rules=RulesStore())

        def refuse(_: object) -> None:
            raise FetchError(FetchStatus.NOT_HTML, "no")

        with pytest.raises(FetchError) as caught:
            async with client.fetch(A, accept="*/*", check_headers=refuse):
                pass
        assert (caught.value.status, caught.value.http_status) == (FetchStatus.NOT_HTML, 200)

    asyncio.run(main())


def test_bodies_count_as_bytes_in_flight_until_they_are_used() -> None:
    async def main() -> None:
        transport = FakeTransport({A: [FakeResponse(bytes(60))], B: [FakeResponse(bytes(60))]})
        client = Client(transport, config=FetchConfig(max_bytes_in_flight=100), rules=RulesStore())

        async def second() -> None:
            async with client.fetch(B, accept="*/*"):
                pass

        async with client.fetch(A, accept="*/*"):
            waiting = asyncio.create_task(second())
            await asyncio.sleep(0.02)
            assert not waiting.done()
        await asyncio.wait_for(waiting, 1)

    asyncio.run(main())
