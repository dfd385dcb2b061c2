"""Dask clusters: worker processes on this machine, or any cluster by its scheduler's address."""

import logging
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import dask
import distributed
from dask.system import CPU_COUNT
from distributed import Scheduler, SpecCluster, system

from pipelines.engine.deaths import TellingNanny

Client: TypeAlias = distributed.Client
"""The one name of Dask that other packages use; they take it from here."""

ALLOWED_FAILURES = 1
"""Worker deaths a task may cause before it counts as poison; Dask's default of 3 costs four workers per document."""

WORKER_ENVIRON = "distributed.nanny.pre-spawn-environ"
DASK_CONFIG = {
    "distributed.scheduler.allowed-failures": ALLOWED_FAILURES,
    # A task that holds the GIL in a long decode must not cost its worker.
    "distributed.scheduler.worker-ttl": "15 minutes",
    "distributed.worker.daemon": False,
    # A nanny starts its worker again; SpecCluster would dismiss a nanny whose worker is away at the wrong moment.
    "distributed.deploy.lost-worker-timeout": "3650 days",
    "distributed.admin.large-graph-warning-threshold": "50MB",
    "distributed.comm.timeouts.connect": "60s",
    # Per worker the scheduler, which is in the driver, keeps so many sent messages, with the recipe in each of them.
    "distributed.admin.low-level-log-length": 100,
}


CPU, FETCH, GPU = "CPU", "FETCH", "GPU"
"""Resources that workers offer. A task that waits for the network wants FETCH, of which a process may offer several;
others want CPU, one per process. They are offered by different processes: a worker looks only at the first in its queue
of tasks that want resources, and code that holds Python's lock for long would let the clocks of requests run out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetchers:
    """Worker processes that only fetch."""

    num_processes: int
    num_partitions: int
    """In flight in each of them."""


@contextmanager
def connect(
    *, scheduler: str | None, num_workers: int, gpus: int, memory_limit: str, fetchers: Fetchers | None = None
) -> Iterator[Client]:
    """Yield a client.

    Args:
        scheduler: ``tcp://...`` of a running cluster, which must see the run folder; None starts one here.
        num_workers: Single-threaded worker processes to start.
        gpus: GPU worker processes to start, one per device, each offering ``GPU: 1``.
        memory_limit: Per worker: "4GB", or "auto", an equal share of the machine but at most that of one CPU.
        fetchers: Further processes to start; None: every worker fetches.
    """
    with dask.config.set(DASK_CONFIG):
        if scheduler is not None:
            with Client(scheduler) as client:
                yield client
            return
        workers = dict(_worker_specs(num_workers, gpus, memory_limit, fetchers))
        scheduler_spec = {
            "cls": Scheduler,
            "options": {"dashboard": False, "dashboard_address": ":0", "host": "127.0.0.1", "port": 0},
        }
        with (
            SpecCluster(workers=workers, scheduler=scheduler_spec, silence_logs=logging.ERROR) as cluster,
            Client(cluster) as client,
        ):
            client.wait_for_workers(len(workers), timeout=120)
            yield client


def _worker_specs(
    num_workers: int, gpus: int, memory_limit: str, fetchers: Fetchers | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    num_fetchers = fetchers.num_processes if fetchers is not None else 0
    options = {
        "nthreads": 1,
        "memory_limit": _memory_limit(memory_limit, num_workers + gpus + num_fetchers),
        "dashboard": False,
        "host": "127.0.0.1",
        "silence_logs": logging.ERROR,
    }
    cpu = {CPU: 1} if fetchers is not None else {}
    for number in range(num_workers):
        yield f"cpu-{number}", {"cls": TellingNanny, "options": {**options, "resources": cpu}}
    for device in range(gpus):
        own = {"resources": {**cpu, GPU: 1}, "env": {"CUDA_VISIBLE_DEVICES": str(device)}}
        yield f"gpu-{device}", {"cls": TellingNanny, "options": {**options, **own}}
    if fetchers is not None:
        own = {"nthreads": fetchers.num_partitions, "resources": {FETCH: fetchers.num_partitions}}
        for number in range(num_fetchers):
            yield f"fetch-{number}", {"cls": TellingNanny, "options": {**options, **own}}


def _memory_limit(memory_limit: str, num_processes: int) -> str | int:
    """Return a worker's limit; Dask's own "auto" would give a process with many threads all of the machine."""
    if memory_limit != "auto":
        return memory_limit
    return int(system.MEMORY_LIMIT / max(CPU_COUNT, num_processes))


def count_gpus() -> int:
    """Return how many CUDA devices the driver lists, without creating a CUDA context in this process."""
    nvidia_smi = shutil.which("nvidia-smi")
    if nvidia_smi is None:
        return 0
    listing = subprocess.run([nvidia_smi, "-L"], capture_output=True, text=True, check=False, timeout=30)  # noqa: S603
    return sum(line.startswith("GPU ") for line in listing.stdout.splitlines())


def count_workers(client: Client) -> int:
    """Return how many workers the cluster has now, without those that only fetch."""
    return sum(FETCH not in worker["resources"] for worker in _workers(client))


def count_fetchers(client: Client) -> int:
    """Return how many processes fetch, at least 1: those that offer it, or else all without a GPU."""
    workers = _workers(client)
    offering = sum(worker["resources"].get(FETCH, 0) > 0 for worker in workers)
    return max(1, offering or sum(not worker["resources"].get(GPU) for worker in workers))


def offered_resources(client: Client) -> Counter[str]:
    """Return how much of each resource all workers offer; tasks that ask for what nobody offers would wait for ever."""
    offered = Counter[str]()
    for worker in _workers(client):
        offered.update({name: int(number) for name, number in worker["resources"].items() if number >= 1})
    return offered


def worker_processes(client: Client) -> tuple[int, ...]:
    """Return the process ids of the workers, each on its own machine."""
    return tuple(client.run(os.getpid).values())


def worker_environment() -> dict[str, str]:
    """Return what Dask sets in the environment of its workers, malloc's behaviour among it."""
    return {name: str(value) for name, value in dask.config.get(WORKER_ENVIRON).items()}


def _workers(client: Client) -> list[dict[str, Any]]:
    return list(client.scheduler_info(n_workers=-1)["workers"].values())
