"""The driver's loop: one future per partition and stage, a bounded window, retries, and poison set aside.

Tasks return small reports, never tables. A finished task may name the tasks that follow it, and one under way may
announce partitions whose tasks need not wait for its end; these run before new partitions are begun, so that a
partition flows through its stages without a barrier. Queuing on the scheduler is not relied upon: it is switched off
for tasks with resources, so the window here is what bounds the work in flight.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from distributed import Client, Future, KilledWorker

from curate.contract.errors import CurateError, PartitionError
from pipelines.engine.inbox import Announcement, Inbox

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
    told: Any = None
    """What the tasks that follow have to know; small."""


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
    on_announced: Callable[[str], "list[Task]"] | None = None
    """Tasks that may start once the running one has announced a partition, for which its call gets ``announce=``.

    An announcement may come twice, or be lost: what it is for is to be named by the report again.
    """
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
    with Inbox(client) as inbox:
        flight = _Flight(client, inbox, fresh, window)
        flight.top_up()
        while flight.running:
            news = inbox.take()
            if isinstance(news, Announcement):
                flight.hear(news)
                continue
            task = flight.land(news)
            try:
                report: Report = news.result()
            except Exception as error:  # noqa: BLE001 - the one place where any fault of a task becomes a named partition
                if isinstance(error, KilledWorker):
                    suspects.append(task)
                else:
                    failures.append(PartitionError(task.stage, task.partition, f"{type(error).__name__}: {error}"))
            else:
                flight.put_first(task.then(report))
                yield report
            news.release()
            flight.top_up()


class _Flight:
    """Tasks in flight, and those that are ready to be."""

    def __init__(self, client: Client, inbox: Inbox, fresh: Iterator[Task], window: int) -> None:
        self._client, self._inbox, self._fresh, self._window = client, inbox, fresh, window
        self._ready = deque[Task]()
        self._numbers = count()
        self.running: dict[Future, tuple[int, Task]] = {}
        self._announcing: dict[int, Task] = {}

    def top_up(self) -> None:
        """Send tasks until the window is full or none is left."""
        while len(self.running) < self._window:
            task = self._ready.popleft() if self._ready else next(self._fresh, None)
            if task is None:
                return
            number = next(self._numbers)
            if task.on_announced is not None:
                self._announcing[number] = task
            options = {} if task.on_announced is None else {"announce": self._inbox.announcer(number)}
            future = submit(self._client, task, **options)
            self.running[future] = (number, task)
            self._inbox.expect(future)

    def put_first(self, tasks: list[Task]) -> None:
        """Have tasks sent before all others that wait."""
        self._ready.extendleft(reversed(tasks))

    def hear(self, news: Announcement) -> None:
        """Send what may start now; a task that is done has named all its partitions itself."""
        task = self._announcing.get(news.task)
        if task is not None and task.on_announced is not None:
            self.put_first(task.on_announced(news.partition))
            self.top_up()

    def land(self, future: Future) -> Task:
        """Return the task of a future that is done, no longer in flight."""
        number, task = self.running.pop(future)
        self._announcing.pop(number, None)
        return task


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


def submit(client: Client, task: Task, **options: Any) -> Future:
    """Send one task to the cluster. Keys are tuples: string keys with other shapes defeat Dask's task groups."""
    return client.submit(
        task.call,
        *task.args,
        key=(f"{task.stage}", task.partition, time.monotonic_ns()),
        retries=RETRIES,
        resources=task.resources,
        pure=False,
        **options,
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
