"""Overhead of the engine: tasks that do nothing, through our window and through plain Dask."""

import time
from functools import partial
from importlib.metadata import version

from pipelines.bench.row import BenchRow, compare
from pipelines.engine.cluster import Client, connect
from pipelines.engine.loop import Report, Task, run_tasks

NUM_TASKS = 2000
NUM_WORKERS = 2


def bench_engine() -> list[BenchRow]:
    """Measure tasks per second on two worker processes."""
    with connect(scheduler=None, num_workers=NUM_WORKERS, gpus=0, memory_limit="auto") as client:
        row = compare(
            "engine",
            "noop",
            unit="tasks/s",
            ours=partial(_through_engine, client),
            peer=f"dask client.map {version('distributed')}",
            theirs=partial(_through_map, client),
        )
    return [row]


def _through_engine(client: Client) -> float:
    tasks = [Task(stage="noop", partition=f"{number}", call=_noop, args=(number,)) for number in range(NUM_TASKS)]
    start_s = time.perf_counter()
    num_done = sum(1 for _ in run_tasks(client, tasks, window=64))
    return num_done / (time.perf_counter() - start_s)


def _through_map(client: Client) -> float:
    start_s = time.perf_counter()
    num_done = len(client.gather(client.map(_noop, range(NUM_TASKS), pure=False)))
    return num_done / (time.perf_counter() - start_s)


def _noop(number: int) -> Report:
    return Report(stage="noop", partition=str(number))
