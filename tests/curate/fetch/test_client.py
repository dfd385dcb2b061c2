import asyncio
import gzip
import time
from collections.abc import Callable

import pytest

from curate.contract.reasons import FetchStatus
from curate.fetch.client import UNKNOWN_BODY_BYTES, Body, FetchClient
from curate.fetch.config import FetchConfig
from curate.fetch.errors import FetchError
from curate.fetch.memory import Memory
from curate.fetch.optouts.headers import Checks
from curate.fetch.politeness.slots import OwnSlots
from tests.curate.fetch.fake_transport import FakeResponse, FakeTransport, refused

A, B = "http://a.example/x", "http://b.example/y"
QUICK = FetchConfig(backoff_s=0.001, max_wait_s=1, respect_tdmrep=False)


async def until(condition: Callable[[], bool]) -> None:
    """Let others run until something is so."""
    while not condition():  # noqa: ASYNC110 - what tests look at has no events
        await asyncio.sleep(0)


def moved(location: str) -> FakeResponse:
    return FakeResponse(status=301, headers={"Location": location})


def robots(text: str) -> FakeResponse:
    return FakeResponse(text.encode())


def fetch(transport: FakeTransport, url: str = A, *, config: FetchConfig = QUICK) -> Body:
    async def main() -> Body:
        client = FetchClient(transport, config=config, memory=Memory(), slots=OwnSlots())
        async with client.fetch(url, accept="image/*", checks=Checks()) as body:
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
    assert fetch(transport, config=QUICK.model_copy(update={"respect_x_robots": False})).data == b"x"


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


def test_refusals_are_no_faults_but_have_their_own_bound() -> None:
    busy = FakeResponse(status=429, headers={"Retry-After": "0"})
    transport = FakeTransport({A: [busy, busy, busy, busy, FakeResponse(b"x")]})
    assert fetch(transport).data == b"x"
    assert transport.requested.count(A) == 5 > QUICK.retries + 1
    transport = FakeTransport({A: [busy]})
    assert failure(transport).status == FetchStatus.HTTP_429
    assert transport.requested.count(A) == QUICK.max_refusals + 1


def test_every_url_of_a_host_waits_when_one_is_told_to() -> None:
    second = "http://a.example/second"
    busy = FakeResponse(status=503, headers={"Retry-After": "1"})
    transport = FakeTransport({A: [busy, FakeResponse(b"x")], second: [FakeResponse(b"y")]})
    times: list[float] = []

    async def main() -> None:
        config = QUICK.model_copy(update={"max_wait_s": 5, "respect_robots": False, "respect_content_usage": False})
        client = FetchClient(transport, config=config, memory=Memory(), slots=OwnSlots())

        async def get(url: str) -> None:
            async with client.fetch(url, accept="*/*", checks=Checks()):
                times.append(time.monotonic())

        started_s = time.monotonic()
        first = asyncio.create_task(get(A))
        await until(lambda: A in transport.requested)
        await asyncio.gather(first, get(second))
        assert min(times) - started_s >= 1

    asyncio.run(main())


def test_a_host_that_does_not_answer_is_given_up() -> None:
    config = QUICK.model_copy(update={"retries": 9, "dead_after": 3, "respect_robots": False})
    config = config.model_copy(update={"respect_content_usage": False})
    transport = FakeTransport({A: [refused()]})
    error = failure(transport, config=config)
    assert (error.status, transport.requested) == (FetchStatus.CONNECT_ERROR, [A] * 3)
    assert "failed 3 times in a row" in error.detail


def test_what_a_site_reserves_is_taken_down_and_its_page_not_read() -> None:
    tdmrep = FakeResponse(b'[{"location": "/x", "tdm-reservation": 1}]')
    answers: dict[str, list[FakeResponse | FetchError]] = {
        "http://a.example/robots.txt": [robots("User-agent: *\nContent-Usage: search=n")],
        "http://a.example/.well-known/tdmrep.json": [tdmrep],
        A: [FakeResponse(b"x", headers={"X-Robots-Tag": "nofollow"})],
    }
    checks, transport = Checks(), FakeTransport(answers)

    async def main() -> None:
        client = FetchClient(transport, config=FetchConfig(), memory=Memory(), slots=OwnSlots())
        with pytest.raises(FetchError) as caught:
            async with client.fetch(A, accept="*/*", checks=checks):
                pass
        assert (caught.value.status, caught.value.http_status) == (FetchStatus.OPTED_OUT, 200)

    asyncio.run(main())
    assert checks == Checks(robots="allowed", x_robots_tag="nofollow", tdm_reservation=1, content_usage="search=n")
    assert transport.requested[-1] == A


def test_the_last_request_to_a_host_asks_to_close() -> None:
    transport = FakeTransport({A: [FakeResponse(b"x")]})
    fetch(transport)
    assert [sent.get("Connection") for sent in transport.headers] == [None, "close"]


def test_redirects_are_capped_and_circles_found_at_once() -> None:
    chain = FakeTransport({f"http://a.example/{n}": [moved(f"/{n + 1}")] for n in range(9)})
    error = failure(chain, "http://a.example/0", config=QUICK.model_copy(update={"max_redirects": 3}))
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
        client = FetchClient(FakeTransport({A: [FakeResponse(b"x")]}), config=QUICK, memory=Memory(), slots=OwnSlots())

        def refuse(_: object) -> None:
            raise FetchError(FetchStatus.NOT_HTML, "no")

        with pytest.raises(FetchError) as caught:
            async with client.fetch(A, accept="*/*", checks=Checks(), check_headers=refuse):
                pass
        assert (caught.value.status, caught.value.http_status) == (FetchStatus.NOT_HTML, 200)

    asyncio.run(main())


def test_bodies_count_as_bytes_in_flight_until_they_are_used() -> None:
    async def main() -> None:
        transport = FakeTransport({A: [FakeResponse(bytes(60))], B: [FakeResponse(bytes(60))]})
        client = FetchClient(
            transport, config=QUICK.model_copy(update={"max_bytes_in_flight": 100}), memory=Memory(), slots=OwnSlots()
        )

        async def second() -> None:
            async with client.fetch(B, accept="*/*", checks=Checks()):
                pass

        async with client.fetch(A, accept="*/*", checks=Checks()):
            waiting = asyncio.create_task(second())
            for _ in range(100):
                await asyncio.sleep(0)
            assert not waiting.done()
            assert B not in transport.requested
        await waiting

    asyncio.run(main())


def test_a_body_that_outgrows_what_it_announced_is_asked_for_again_once_there_is_room() -> None:
    packed = gzip.compress(bytes(500_000))
    headers = {"Content-Encoding": "gzip", "Content-Length": str(len(packed))}
    large = FakeResponse(packed, headers=headers)
    transport = FakeTransport({A: [FakeResponse(bytes(600_000))], B: [large]})
    limits = {"max_bytes_in_flight": 600_000 + UNKNOWN_BODY_BYTES, "max_bytes": 800_000, "retries": 0}
    config = QUICK.model_copy(update=limits)

    async def main() -> None:
        client = FetchClient(transport, config=config, memory=Memory(), slots=OwnSlots())

        async def second() -> bytes:
            async with client.fetch(B, accept="*/*", checks=Checks()) as body:
                return body.data

        async with client.fetch(A, accept="*/*", checks=Checks()):
            waiting = asyncio.create_task(second())
            await until(lambda: large.closed)
            for _ in range(100):
                await asyncio.sleep(0)
            assert not waiting.done()
            assert transport.requested.count(B) == 1
        assert await waiting == bytes(500_000)
        assert transport.requested.count(B) == 2

    asyncio.run(main())
