import asyncio
import threading

import pytest

from curate.fetch.config import FetchConfig
from curate.fetch.optouts.headers import Checks
from curate.fetch.session import fetch_each, open_client, run_loop
from tests.curate.fetch.fake_transport import FakeResponse, FakeTransport


async def answer() -> int:
    await asyncio.sleep(0)
    return 42


def test_a_loop_of_its_own_in_any_thread() -> None:
    results: list[int] = []
    thread = threading.Thread(target=lambda: results.append(run_loop(answer())))
    thread.start()
    thread.join()
    assert [*results, run_loop(answer())] == [42, 42]


def test_distinct_urls_are_fetched_once_in_order() -> None:
    asked: list[str] = []

    async def fetch_one(url: str) -> None:
        asked.append(url)
        await asyncio.sleep(0)

    run_loop(fetch_each(["b", "a", "b"], fetch_one))
    assert asked == ["b", "a"]


def test_a_fault_of_ours_is_not_hidden_and_ends_the_others() -> None:
    ended: list[str] = []

    async def fetch_one(url: str) -> None:
        if url == "a":
            raise KeyError(url)
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(url)

    with pytest.raises(KeyError):
        run_loop(fetch_each(["b", "a"], fetch_one))
    assert ended == ["b"]


def test_an_injected_transport_stays_open_and_shares_no_rules() -> None:
    first = FakeTransport({"http://a.example/x": [FakeResponse(b"1")]})
    second = FakeTransport({"http://a.example/x": [FakeResponse(b"2")]})

    async def read(transport: FakeTransport) -> bytes:
        async with (
            open_client(FetchConfig(), transport=transport) as client,
            client.fetch("http://a.example/x", accept="*/*", checks=Checks()) as body,
        ):
            return body.data

    assert run_loop(read(first)) + run_loop(read(second)) == b"12"
    assert first.requested == second.requested
    assert first.requested[0] == "http://a.example/robots.txt"
    assert not first.closed
