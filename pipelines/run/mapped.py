"""Runs a call per shard: on a Dask cluster, or in this process where a cluster would take longer to start.

What is run knows nothing of Dask; it takes a ``MapTasks``. A worker that is lost costs the call it was busy with,
which another repeats.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from curate.contract.tasks import MapTasks, map_here

if TYPE_CHECKING:  # these import Dask
    from pipelines.engine.cluster import Client
    from pipelines.engine.loop import Report
    from pipelines.run.progress import Progress

FEW_SHARDS, FEW_BYTES = 3, 64_000_000
"""Fewer shards, or fewer bytes in all of them, are read in this process: seconds, as starting workers takes."""
WINDOW_PER_WORKER = 3
_Job = TypeVar("_Job")
_Found = TypeVar("_Found")


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterOptions:
    """Of a command line."""

    workers: int | None = None
    """Processes on this machine; None: one per CPU."""
    scheduler: str | None = None
    """``tcp://HOST:PORT`` of a running cluster, which must see the shards at the same path."""


@contextmanager
def open_map(stage: str, options: ClusterOptions, *, num_shards: int, num_bytes: int) -> Iterator[MapTasks]:
    """Yield a map for shards; with a cluster it shows how far each phase is.

    Args:
        stage: Names the tasks.
        options: Of the command line; a cluster that is named is always used.
        num_shards: To be read.
        num_bytes: In all of them.
    """
    if options.scheduler is None and (num_shards < FEW_SHARDS or num_bytes < FEW_BYTES):
        yield map_here
        return
    from pipelines.engine.cluster import connect, count_workers  # noqa: PLC0415 - imports Dask
    from pipelines.run.progress import Progress  # noqa: PLC0415 - ditto

    num_workers = min(options.workers or len(os.sched_getaffinity(0)), num_shards)
    with (
        Progress(None) as progress,
        connect(scheduler=options.scheduler, num_workers=num_workers, gpus=0, memory_limit="auto") as client,
    ):
        yield map_on(client, stage=stage, window=WINDOW_PER_WORKER * max(1, count_workers(client)), progress=progress)


def map_on(client: "Client", *, stage: str, window: int, progress: "Progress") -> MapTasks:
    """Return a map that runs calls as tasks of a cluster.

    Args:
        client: Of any Dask cluster.
        stage: Names the tasks.
        window: Most of them in flight.
        progress: Told of each that is done.
    """
    from pipelines.engine.loop import Task, run_tasks  # noqa: PLC0415 - imports Dask

    def map_tasks(call: Callable[[_Job], _Found], jobs: Mapping[str, _Job], *, phase: str) -> Iterator[_Found]:
        progress.begin(phase, len(jobs))
        tasks = (
            Task(stage=stage, partition=name, call=run_job, args=(stage, name, call, job)) for name, job in jobs.items()
        )
        for report in run_tasks(client, tasks, window=window):
            progress.report(report)
            yield report.found

    return map_tasks


def run_job(stage: str, name: str, call: Callable[[Any], Any], job: Any) -> "Report":
    """Return what a call finds of one job; runs on a worker."""
    from pipelines.engine.loop import Report  # noqa: PLC0415 - imports Dask

    return Report(stage=stage, partition=name, found=call(job))
