import asyncio
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest
from aiohttp import web
from distributed import Client

from curate.fetch.config import FetchConfig
from curate.fetch.images import fetch_images
from pipelines.engine.cluster import connect
from pipelines.engine.host_leases import LeaseBook, leased_slots
from tests.curate.fetch.samples import jpeg

NUM_WORKERS = 4
DEADLINE_S = 60
"""For what takes moments where nothing else runs."""
A, B = ("tcp://a", 0), ("tcp://b", 0)


@pytest.fixture(scope="module")
def four_workers() -> Iterator[Client]:
    with connect(scheduler=None, num_workers=NUM_WORKERS, gpus=0, memory_limit="auto") as client:
        client.run(be_loaded)
        yield client


def be_loaded() -> None:
    """Import this module on a worker, so that timings are those of fetching."""


class CountingHost:
    """A server that takes 20 ms for an image and counts how many requests it has at once."""

    def __init__(self) -> None:
        self.port = 0
        self.active = 0
        self.most_active = 0
        self.is_held = False
        """It answers nothing meanwhile."""
        self.requested: Counter[str] = Counter()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requested[request.path] += 1
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        try:
            await asyncio.sleep(0.02)
            while self.is_held:  # noqa: ASYNC110 - set by another thread
                await asyncio.sleep(0.01)
            if request.path.endswith(".jpg"):
                return web.Response(body=jpeg(), content_type="image/jpeg")
            return web.Response(status=404)
        finally:
            self.active -= 1


class RationingHost(CountingHost):
    """One that gives 20 images in any second, and answers 429 to whoever asks for more; some are, on any machine."""

    def __init__(self) -> None:
        super().__init__()
        self.given_s: deque[float] = deque(maxlen=20)
        self.num_refused = 0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        now_s = time.monotonic()
        if request.path.endswith(".jpg"):
            is_soon = self.num_refused < 3 or now_s - self.given_s[0] < 1
            if len(self.given_s) == self.given_s.maxlen and is_soon:
                self.num_refused += 1
                return web.Response(status=429)
            self.given_s.append(now_s)
        return await super().handle(request)


@contextmanager
def serve(*hosts: CountingHost) -> Iterator[None]:
    loops, ready, done = list[asyncio.AbstractEventLoop](), threading.Event(), asyncio.Event()

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        runners = []
        for host in hosts:
            runner = web.ServerRunner(web.Server(host.handle), shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host.port = runner.addresses[0][1]
            runners.append(runner)
        ready.set()
        await done.wait()
        for runner in runners:
            await runner.cleanup()

    # `asyncio.run` ends the handlers whose clients have gone, too.
    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    assert ready.wait(DEADLINE_S)
    try:
        yield
    finally:
        loops[0].call_soon_threadsafe(done.set)
        thread.join()


def fetch_part(urls: list[str], per_host: int) -> list[str]:
    """Fetch in a worker, as the stages do."""
    ids = pa.array([str(number) for number in range(len(urls))])
    wanted = pa.table({"doc_id": ids, "position": pa.array([0] * len(urls), pa.int32()), "image_url": urls})
    config = FetchConfig(allow_private=("127.0.0.1",), per_host=per_host, timeout_s=DEADLINE_S)
    with leased_slots(per_host=per_host) as slots:
        assert slots is not None
        statuses: list[str] = fetch_images(wanted, config=config, slots=slots)["status"].to_pylist()
    return statuses


@pytest.mark.slow
def test_four_workers_never_give_a_host_more_than_it_may_have(four_workers: Client) -> None:
    host = CountingHost()
    with serve(host):
        parts = [[f"http://127.0.0.1:{host.port}/{part}-{n}.jpg" for n in range(40)] for part in range(8)]
        results = four_workers.gather(four_workers.map(fetch_part, parts, [2] * len(parts), pure=False))
    assert Counter(status for result in results for status in result) == {"ok": 320}
    assert host.most_active == 2


@pytest.mark.slow
def test_a_host_that_answers_429_ends_with_all_its_images(four_workers: Client) -> None:
    host = RationingHost()
    with serve(host):
        parts = [[f"http://127.0.0.1:{host.port}/{part}-{n}.jpg" for n in range(12)] for part in range(4)]
        results = four_workers.gather(four_workers.map(fetch_part, parts, [8] * len(parts), pure=False))
    assert Counter(status for result in results for status in result) == {"ok": 48}
    assert 0 < host.num_refused < 48


@pytest.mark.slow
def test_other_hosts_go_on_meanwhile(four_workers: Client) -> None:
    crowded, quiet = CountingHost(), CountingHost()
    crowded.is_held = True
    with serve(crowded, quiet):
        busy = [f"http://127.0.0.1:{crowded.port}/{n}.jpg" for n in range(20)]
        other = [f"http://127.0.0.1:{quiet.port}/{n}.jpg" for n in range(4)]
        first = four_workers.map(fetch_part, [busy[:10], busy[10:]], [1, 1], pure=False)
        started_s = time.monotonic()
        second = four_workers.submit(fetch_part, [busy[0], *other], 1, pure=False)
        while quiet.requested.total() < 4 and time.monotonic() - started_s < DEADLINE_S:
            time.sleep(0.01)
        assert quiet.requested.total() >= 4
        crowded.is_held = False
        assert {status for result in four_workers.gather([*first, second]) for status in result} == {"ok"}
    assert (crowded.most_active, quiet.most_active) == (1, 1)


def die_holding_a_slot(port: int, path: str) -> None:
    if Path(path).exists():
        return
    Path(path).touch()

    async def main() -> None:
        with leased_slots(per_host=1) as slots:
            assert slots is not None
            await slots.acquire(f"127.0.0.1:{port}")
            os._exit(1)

    asyncio.run(main())


@pytest.mark.slow
def test_slots_of_a_dead_worker_come_back(four_workers: Client, tmp_path: Path) -> None:
    host = CountingHost()
    with serve(host):
        dying = four_workers.submit(die_holding_a_slot, host.port, str(tmp_path / "died"), retries=1, pure=False)
        dying.result(timeout=DEADLINE_S)
        assert fetch_part_in(four_workers, [f"http://127.0.0.1:{host.port}/x.jpg"]) == ["ok"]


def fetch_part_in(client: Client, urls: list[str]) -> list[str]:
    statuses: list[str] = client.submit(fetch_part, urls, 1, pure=False).result(timeout=DEADLINE_S)
    return statuses


def test_outside_of_a_cluster_there_is_nothing_to_share() -> None:
    with leased_slots(per_host=2) as slots:
        assert slots is None


def test_the_book_grants_in_order_up_to_the_limit() -> None:
    book = LeaseBook()
    assert book.ask(A, "h", limit=2) == [(A, "h")]
    assert book.ask(A, "h", limit=2) == [(A, "h")]
    assert book.ask(A, "h", limit=2) == []
    assert book.ask(B, "h", limit=2) == []
    assert book.ask(B, "other", limit=2) == [(B, "other")]
    assert book.give_back(A, "h") == [(A, "h")]
    assert book.give_back(A, "h") == [(B, "h")]
    assert {host: held.total() for host, held in book._held.items()} == {"h": 2, "other": 1}


def test_the_book_takes_back_what_a_session_or_a_worker_leaves() -> None:
    book = LeaseBook()
    other_session = ("tcp://a", 1)
    book.ask(A, "h", limit=1)
    book.ask(other_session, "h", limit=1)
    book.ask(B, "h", limit=1)
    assert book.drop("tcp://a", 0) == [(other_session, "h")]
    assert book.drop("tcp://a") == [(B, "h")]
    assert book.drop("tcp://b") == []
    assert book._held["h"].total() == 0
