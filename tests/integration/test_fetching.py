"""Partitions are fetched side by side, in bounded memory, and what has come survives a worker that dies."""

import io
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import web
from distributed import Client
from PIL import Image

from pipelines.engine.cluster import FETCH, Fetchers, connect
from pipelines.engine.loop import Task, run_tasks
from pipelines.run import tables
from pipelines.run.context import RunContext
from pipelines.run.segments import load_segments
from pipelines.run.stored import rows_digest
from pipelines.stages.images import fetch_admitted_images
from tests.pipelines.corpus import Picture, doc, make_context, write_partition
from tests.pipelines.engine.test_host_leases import CountingHost, serve

PARTITIONS = [f"mmc4-00000-{number:05d}" for number in range(4)]
NUM_HOSTS, NUM_HELD, IMAGES_EACH = 20, 2, 5
"""Hosts, those of them that answer nothing for a while, images of each host in each partition."""
DEADLINE_S = 60
MEGABYTE = 1_000_000


@pytest.fixture
def fetching() -> Iterator[Client]:
    fetchers = Fetchers(num_processes=1, num_partitions=len(PARTITIONS))
    with connect(scheduler=None, num_workers=1, gpus=0, memory_limit="auto", fetchers=fetchers) as client:
        yield client


def partition_of(context: RunContext, partition: str, urls: list[str]) -> None:
    docs = [doc(f"{partition}-{number}", "text", Picture(number=0, url=url)) for number, url in enumerate(urls)]
    write_partition(context, partition, docs)
    Path(context.folder.path(tables.IMAGES, partition)).unlink()


def tasks(context: RunContext, *partitions: str) -> list[Task]:
    return [
        Task(
            stage="fetch_images",
            partition=name,
            call=fetch_admitted_images,
            args=(context, name),
            resources={FETCH: 1.0},
        )
        for name in partitions
    ]


def num_committed(context: RunContext, *partitions: str) -> int:
    return sum(load_segments(context.folder, tables.IMAGES, name)[0].num_rows for name in partitions)


def wait_until(is_true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not is_true():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def start(client: Client, context: RunContext, *partitions: str) -> list[object]:
    return [
        client.submit(task.call, *task.args, resources={FETCH: 1}, pure=False) for task in tasks(context, *partitions)
    ]


def test_hosts_that_hang_cost_nobody_elses_time(fetching: Client, tmp_path: Path) -> None:
    context = make_context(tmp_path)
    hosts = [CountingHost() for _ in range(NUM_HOSTS)]
    for host in hosts[:NUM_HELD]:
        host.is_held = True
    with serve(*hosts):
        for name in PARTITIONS:
            urls = [f"http://127.0.0.1:{host.port}/{name}-{n}.jpg" for n in range(IMAGES_EACH) for host in hosts]
            partition_of(context, name, urls)
        futures = start(fetching, context, *PARTITIONS)
        num_good = len(PARTITIONS) * IMAGES_EACH * (NUM_HOSTS - NUM_HELD)
        wait_until(lambda: num_committed(context, *PARTITIONS) == num_good)
        assert not any(host.requested.total() > host.most_active + 2 for host in hosts[:NUM_HELD])  # and robots.txt
        for host in hosts:
            host.is_held = False
        reports = fetching.gather(futures)
    assert sum(report.counters["ok"] for report in reports) == len(PARTITIONS) * IMAGES_EACH * NUM_HOSTS
    assert max(host.most_active for host in hosts) <= context.recipe.fetch.per_host


def test_a_lost_worker_costs_no_image_that_was_committed(fetching: Client, tmp_path: Path) -> None:
    quick, slow = CountingHost(), CountingHost()
    slow.is_held = True
    name = PARTITIONS[0]
    digests = []
    with serve(quick, slow):
        urls = [f"http://127.0.0.1:{host.port}/{n}.jpg" for n in range(20) for host in (quick, slow)]
        disturbed = make_context(tmp_path / "disturbed")
        partition_of(disturbed, name, urls)
        future = fetching.submit(fetch_admitted_images, disturbed, name, resources={FETCH: 1}, pure=False)
        wait_until(lambda: num_committed(disturbed, name) == 20)
        workers = fetching.scheduler_info(n_workers=-1)["workers"]
        (victim,) = (address for address, worker in workers.items() if FETCH in worker["resources"])
        os.kill(fetching.run(os.getpid, workers=[victim])[victim], signal.SIGKILL)
        wait_until(lambda: victim not in fetching.scheduler_info(n_workers=-1)["workers"])
        slow.is_held = False
        assert future.result().counters == {"fetched": 20, "ok": 20}
        assert {quick.requested[f"/{n}.jpg"] for n in range(20)} == {1}
        undisturbed = make_context(tmp_path / "undisturbed")
        partition_of(undisturbed, name, urls)
        list(run_tasks(fetching, tasks(undisturbed, name), window=1))
        digests += [rows_digest(context, tables.IMAGES, name) for context in (disturbed, undisturbed)]
    assert digests[0] == digests[1]


class AlbumHost(CountingHost):
    """A server with large pictures."""

    def __init__(self, picture: bytes) -> None:
        super().__init__()
        self.picture = picture

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path.endswith(".jpg"):
            return web.Response(body=self.picture, content_type="image/jpeg")
        return await super().handle(request)


def noise(side: int) -> bytes:
    buffer = io.BytesIO()
    pixels = random.Random(0).randbytes(3 * side * side)
    Image.frombytes("RGB", (side, side), pixels).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def peak_bytes(*, begin: bool = False) -> int:
    """Return the largest resident size of this process since it was asked to begin."""
    if begin:
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024


@pytest.mark.slow
def test_a_large_partition_takes_little_memory_and_one_more_image_little_writing(
    fetching: Client, tmp_path: Path
) -> None:
    context, name, host = make_context(tmp_path), PARTITIONS[0], AlbumHost(noise(600))
    num_images = 240 * MEGABYTE // len(host.picture)
    with serve(host):
        urls = [f"http://127.0.0.1:{host.port}/{n}.jpg" for n in range(num_images + 1)]
        partition_of(context, name, urls[:1])  # imports are no part of it
        list(run_tasks(fetching, tasks(context, name), window=1))
        workers = fetching.scheduler_info(n_workers=-1)["workers"]
        fetcher = [address for address, worker in workers.items() if FETCH in worker["resources"]]
        (idle,) = fetching.run(peak_bytes, begin=True, workers=fetcher).values()
        partition_of(context, PARTITIONS[1], urls[:-1])
        list(run_tasks(fetching, tasks(context, PARTITIONS[1]), window=1))
        (peak,) = fetching.run(peak_bytes, workers=fetcher).values()
        assert num_committed(context, PARTITIONS[1]) == num_images
        assert peak - idle < 400 * MEGABYTE
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")}
        partition_of(context, PARTITIONS[1], urls)
        documents = set(tmp_path.rglob("*/ingest/*/*")) | set(tmp_path.rglob("measure/*/*"))
        list(run_tasks(fetching, tasks(context, PARTITIONS[1]), window=1))
    changed = [path for path in tmp_path.rglob("fetch/**/*.parquet") if before.get(path) != path.stat().st_mtime_ns]
    assert sum(path.stat().st_size for path in changed if path not in documents) < 2 * MEGABYTE
