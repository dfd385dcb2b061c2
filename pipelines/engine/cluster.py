"""Dask clusters: worker processes on this machine, or any cluster by its scheduler's address."""

import logging
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import dask
import distributed
from distributed import Nanny, Scheduler, SpecCluster

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
}


@contextmanager
def connect(*, scheduler: str | None, num_workers: int, gpus: int, memory_limit: str) -> Iterator[Client]:
    """Yield a client.

    Args:
        scheduler: ``tcp://...`` of a running cluster, which must see the run folder; None starts one here.
        num_workers: Single-threaded worker processes to start.
        gpus: GPU worker processes to start, one per device, each offering ``GPU: 1``.
        memory_limit: Per worker, as Dask understands it ("auto", "4GB").
    """
    with dask.config.set(DASK_CONFIG):
        if scheduler is not None:
            with Client(scheduler) as client:
                yield client
            return
        workers = dict(_worker_specs(num_workers, gpus, memory_limit))
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


def _worker_specs(num_workers: int, gpus: int, memory_limit: str) -> Iterator[tuple[str, dict[str, Any]]]:
    options = {
        "nthreads": 1,
        "memory_limit": memory_limit,
        "dashboard": False,
        "host": "127.0.0.1",
        "silence_logs": logging.ERROR,
    }
    for number in range(num_workers):
        yield f"cpu-{number}", {"cls": Nanny, "options": options}
    for device in range(gpus):
        environment = {"CUDA_VISIBLE_DEVICES": str(device)}
        yield f"gpu-{device}", {"cls": Nanny, "options": {**options, "resources": {"GPU": 1}, "env": environment}}


def count_gpus() -> int:
    """Return how many CUDA devices the driver lists, without creating a CUDA context in this process."""
    nvidia_smi = shutil.which("nvidia-smi")
    if nvidia_smi is None:
        return 0
    listing = subprocess.run([nvidia_smi, "-L"], capture_output=True, text=True, check=False, timeout=30)  # noqa: S603
    return sum(line.startswith("GPU ") for line in listing.stdout.splitlines())


def count_workers(client: Client) -> int:
    """Return how many workers the cluster has now."""
    return len(_workers(client))


def count_cpu_workers(client: Client) -> int:
    """Return how many workers offer no GPU, at least 1: these fetch, and share limits per host among them."""
    return max(1, sum(not worker["resources"].get("GPU") for worker in _workers(client)))


def has_resource(client: Client, name: str) -> bool:
    """Return whether any worker offers a resource; tasks that ask for one nobody offers would wait for ever."""
    return any(worker["resources"].get(name, 0) > 0 for worker in _workers(client))


def worker_processes(client: Client) -> tuple[int, ...]:
    """Return the process ids of the workers, each on its own machine."""
    return tuple(client.run(os.getpid).values())


def worker_environment() -> dict[str, str]:
    """Return what Dask sets in the environment of its workers, malloc's behaviour among it."""
    return {name: str(value) for name, value in dask.config.get(WORKER_ENVIRON).items()}


def _workers(client: Client) -> list[dict[str, Any]]:
    return list(client.scheduler_info(n_workers=-1)["workers"].values())
