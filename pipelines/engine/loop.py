"""The driver's loop: one future per partition and stage, a bounded window, retries, and poison set aside.

Tasks return small reports, never tables. A finished task may name the tasks that follow it; those run before new
partitions are begun, so that a partition flows through its stages without a barrier. Queuing on the scheduler is not
relied upon: it is switched off for tasks with resources, so the window here is what bounds the work in flight.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from distributed import Client, Future, KilledWorker, as_completed

from curate.contract.errors import CurateError, PartitionError

RETRIES = 2
"""How often a task that raised is run again before its partition is reported as failed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What a task tells the driver."""

    stage: str
    partition: str
    skipped: bool = False
    """Its output was there already, made from the same inputs."""
    counters: dict[str, int] = field(default_factory=dict)
    partitions: tuple[str, ...] = ()
    """Partitions that came into being (ingest only)."""
    made: tuple[str, ...] = ()
    """Fingerprint and digests of what it wrote, where the driver makes something of them."""
    found: Any = None
    """What the task was to find out, such as counts for the driver to add up: small, whatever the corpus."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One call on one partition."""

    stage: str
    partition: str
    call: Callable[..., Report]
    args: tuple[Any, ...]
    resources: dict[str, float] | None = None
    then: Callable[[Report], "list[Task]"] = lambda _report: []
    """Tasks that may start when this one is done."""
    on_killed: Callable[[], "list[Task]"] | None = None
    """Called when the task has killed its workers: finds and sets aside what did, returns the tasks to run again."""


def run_tasks(client: Client, tasks: Iterable[Task], *, window: int) -> Iterator[Report]:
    """Run tasks and what follows them, yielding reports as they come in.

    Args:
        client: A client of any Dask cluster.
        tasks: Tasks to begin with; consumed lazily.
        window: Most tasks in flight.

    Raises:
        CurateError: Some partitions failed; all others have been finished first. The text names each one.
    """
    failures: list[PartitionError] = []
    suspects: deque[Task] = deque()
    yield from _run(client, iter(tasks), window, suspects, failures)
    while suspects:  # those with successors may bring new ones
        yield from _run_suspect(client, suspects.popleft(), suspects, failures)
    if failures:
        raise CurateError("\n".join(_describe(failures)))


def _run(
    client: Client, fresh: Iterator[Task], window: int, suspects: deque[Task], failures: list[PartitionError]
) -> Iterator[Report]:
    """Run tasks and what follows them until none is in flight; tasks whose workers died become suspects."""
    ready = deque[Task]()
    running: dict[Future, Task] = {}
    completed = as_completed()
    _top_up(client, running, completed, ready, fresh, window)
    for future in completed:
        task = running.pop(future)
        try:
            report: Report = future.result()
        except Exception as error:  # noqa: BLE001 - the one place where any fault of a task becomes a named partition
            if isinstance(error, KilledWorker):
                suspects.append(task)
            else:
                failures.append(PartitionError(task.stage, task.partition, f"{type(error).__name__}: {error}"))
        else:
            ready.extendleft(reversed(task.then(report)))
            yield report
        future.release()
        _top_up(client, running, completed, ready, fresh, window)


def _run_suspect(client: Client, task: Task, suspects: deque[Task], failures: list[PartitionError]) -> Iterator[Report]:
    """Run a suspect with nothing else in flight: a dying worker takes all that was sent to it, guilty or not."""
    guilty = deque[Task]()
    yield from _run(client, iter([task]), 1, guilty, failures)
    for killer in guilty:
        try:
            again = killer.on_killed() if killer.on_killed is not None else None
        except CurateError as fault:
            failures.append(PartitionError(killer.stage, killer.partition, str(fault)))
            continue
        if again is None:
            cause = "KilledWorker: its workers died, even when nothing else was running"
            failures.append(PartitionError(killer.stage, killer.partition, cause))
        else:
            yield from _run(client, iter(again), 1, suspects, failures)


def _describe(failures: list[PartitionError]) -> Iterator[str]:
    """Name each stage's partitions once per cause: one wrong setting fails them all alike."""
    partitions: dict[tuple[str, str], list[str]] = {}
    for failure in failures:
        partitions.setdefault((failure.stage, failure.cause), []).append(failure.partition)
    for (stage, cause), names in partitions.items():
        yield f"stage {stage} failed on {len(names)} partitions ({', '.join(sorted(names))}): {cause}"


def _top_up(
    client: Client, running: dict[Future, Task], completed: Any, ready: deque[Task], fresh: Iterator[Task], window: int
) -> None:
    while len(running) < window:
        task = ready.popleft() if ready else next(fresh, None)
        if task is None:
            return
        future = submit(client, task)
        running[future] = task
        completed.add(future)


def submit(client: Client, task: Task) -> Future:
    """Send one task to the cluster. Keys are tuples: string keys with other shapes defeat Dask's task groups."""
    return client.submit(
        task.call,
        *task.args,
        key=(f"{task.stage}", task.partition, time.monotonic_ns()),
        retries=RETRIES,
        resources=task.resources,
        pure=False,
    )


def find_poison(client: Client, items: list[str], probe: Callable[[list[str]], Task]) -> list[str]:
    """Return those of ``items`` whose processing kills a worker, by bisection.

    Args:
        client: A client whose cluster restarts dead workers (a nanny does).
        items: Ids, such as the doc_ids of a partition.
        probe: Makes a task that processes only the given ids and writes nothing.
    """
    if not _kills(client, probe(items)):
        return []
    if len(items) == 1:
        return items
    middle = len(items) // 2
    return find_poison(client, items[:middle], probe) + find_poison(client, items[middle:], probe)


def _kills(client: Client, task: Task) -> bool:
    try:
        submit(client, task).result()
    except KilledWorker:
        return True
    return False
