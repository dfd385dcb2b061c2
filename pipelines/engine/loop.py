"""The driver's loop: one future per partition and stage, bounded windows, retries, and poison set aside.

Tasks return small reports, never tables. A finished task may name the tasks that follow it, and one under way may
announce partitions whose tasks need not wait for its end; these run before new partitions are begun, so that a
partition flows through its stages without a barrier. Queuing on the scheduler is not relied upon: it is switched off
for tasks with resources, so the windows here are what bounds the work in flight.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from distributed import Client, Future, KilledWorker

from curate.contract.errors import CurateError, PartitionError
from pipelines.engine.cluster import CPU, FETCH, offered_resources
from pipelines.engine.deaths import Death, cause_of
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
    made: tuple[str, ...] = ()
    """Fingerprint and digests of what it wrote, where the driver makes something of them."""
    found: Any = None
    """What the task was to find out: counts for the driver to add up, or what those that follow must know; small."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One call on one partition."""

    stage: str
    partition: str
    call: Callable[..., Report]
    args: tuple[Any, ...]
    resources: Mapping[str, float] | None = None
    """Of a worker, where any offers them; else, and if None, a CPU."""
    then: Callable[[Report], "list[Task]"] = lambda _report: []
    """Tasks that may start when this one is done."""
    on_announced: Callable[[str], "list[Task]"] | None = None
    """Tasks that may start once the running one has announced a partition, for which its call gets ``announce=``.

    An announcement may come twice, or be lost: what it is for is to be named by the report again.
    """
    gently: Callable[[], "Task"] | None = None
    """Returns the same work with less in memory at a time, for when its workers have died."""
    on_killed: Callable[[Death], "list[Task]"] | None = None
    """Called when the task has killed its workers alone: sets aside what did, returns the tasks to run again."""


Suspect = tuple[Task, KilledWorker]
"""A task, and how its workers were lost."""

HOPELESS = {
    Death.CRASH: "KilledWorker: its workers died, even when nothing else was running",
    Death.MEMORY: "its workers ran out of memory, even when nothing else was running; raise engine.memory_limit",
}


def call_on(stage: str, partition: str, call: Callable[..., Report], *args: Any) -> Task:
    """Return the task of one call that nothing follows; bind ``stage`` with ``functools.partial``."""
    return Task(stage=stage, partition=partition, call=call, args=args)


def run_tasks(client: Client, tasks: Iterable[Task], *, window: int) -> Iterator[Report]:
    """Run tasks and what follows them, yielding reports as they come in.

    Args:
        client: A client of any Dask cluster.
        tasks: Tasks to begin with; consumed lazily.
        window: Most tasks in flight. Where workers offer FETCH, tasks that want it have a window of their own, as many
            as can run and one more per four, so that those that wait for the network hold up no others.

    Raises:
        CurateError: Some partitions failed; all others have been finished first. The text names each one.
    """
    failures: list[PartitionError] = []
    suspects: deque[Suspect] = deque()
    offered = offered_resources(client)
    windows = {CPU: window}
    if offered[FETCH]:
        windows[FETCH] = offered[FETCH] + -(-offered[FETCH] // 4)
    yield from _run(client, Lanes(windows, iter(tasks)), offered, suspects, failures)
    while suspects:  # those with successors may bring new ones
        yield from _run_suspect(client, suspects.popleft()[0], offered, suspects, failures)
    if failures:
        raise CurateError("\n".join(_describe(failures)))


class Lanes:
    """Tasks that wait for their turn, by what they want. Successors go before new tasks of the same lane."""

    def __init__(self, windows: Mapping[str, int], fresh: Iterator[Task]) -> None:
        self._windows = windows
        self._fresh = fresh
        self._held_back: Task | None = None
        """A new task whose lane is full; no other is begun before it."""
        self._ready = {lane: deque[Task]() for lane in windows}
        self._num_running = Counter[str]()

    def add(self, tasks: list[Task]) -> None:
        """Take successors of a task."""
        for task in reversed(tasks):
            self._ready[self._lane(task)].appendleft(task)

    def done(self, task: Task) -> None:
        """Note that a task runs no longer."""
        self._num_running[self._lane(task)] -= 1

    def begin(self) -> Task | None:
        """Return a task that may run now, if there is one."""
        task = self._next()
        if task is not None:
            self._num_running[self._lane(task)] += 1
        return task

    def _next(self) -> Task | None:
        for lane, ready in self._ready.items():
            if ready and self._has_room(lane):
                return ready.popleft()
        if not any(map(self._has_room, self._windows)):
            return None
        task = self._held_back or next(self._fresh, None)
        is_late = task is not None and not self._has_room(self._lane(task))
        self._held_back = task if is_late else None
        return None if is_late else task

    def _has_room(self, lane: str) -> bool:
        return self._num_running[lane] < self._windows[lane]

    def _lane(self, task: Task) -> str:
        return FETCH if FETCH in self._windows and FETCH in (task.resources or {}) else CPU


def _run(
    client: Client, lanes: Lanes, offered: Counter[str], suspects: deque[Suspect], failures: list[PartitionError]
) -> Iterator[Report]:
    """Run tasks and what follows them until none is in flight; tasks whose workers died become suspects."""
    with Inbox(client) as inbox:
        flight = _Flight(client, inbox, lanes, offered)
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
                    suspects.append((task, error))
                else:
                    failures.append(PartitionError(task.stage, task.partition, f"{type(error).__name__}: {error}"))
            else:
                lanes.add(task.then(report))
                yield report
            news.release()
            flight.top_up()


class _Flight:
    """Tasks in flight, and what those announce: who waits, and for what, is up to the lanes."""

    def __init__(self, client: Client, inbox: Inbox, lanes: Lanes, offered: Counter[str]) -> None:
        self._client, self._inbox, self._lanes, self._offered = client, inbox, lanes, offered
        self._numbers = count()
        self.running: dict[Future, tuple[int, Task]] = {}
        self._announcing: dict[int, Task] = {}

    def top_up(self) -> None:
        """Send tasks until the lanes are full or none is left."""
        while (task := self._lanes.begin()) is not None:
            number, options = next(self._numbers), {}
            if task.on_announced is not None:
                self._announcing[number] = task
                options["announce"] = self._inbox.announcer(number)
            future = submit(self._client, task, self._offered, **options)
            self.running[future] = (number, task)
            self._inbox.expect(future)

    def hear(self, news: Announcement) -> None:
        """Send what may start now; a task that is done has named all its partitions itself."""
        task = self._announcing.get(news.task)
        if task is not None and task.on_announced is not None:
            self._lanes.add(task.on_announced(news.partition))
            self.top_up()

    def land(self, future: Future) -> Task:
        """Return the task of a future that is done, no longer in flight."""
        number, task = self.running.pop(future)
        self._announcing.pop(number, None)
        self._lanes.done(task)
        return task


def _run_suspect(
    client: Client, task: Task, offered: Counter[str], suspects: deque[Suspect], failures: list[PartitionError]
) -> Iterator[Report]:
    """Run a suspect with nothing else in flight: a dying worker takes all that was sent to it, guilty or not."""
    guilty = deque[Suspect]()
    alone = task.gently() if task.gently is not None else task
    yield from _run(client, Lanes({CPU: 1}, iter([alone])), offered, guilty, failures)
    for killer, error in guilty:
        death = cause_of(client, error)
        try:
            again = killer.on_killed(death) if killer.on_killed is not None else None
        except CurateError as fault:
            failures.append(PartitionError(killer.stage, killer.partition, str(fault)))
            continue
        if again is None:
            failures.append(PartitionError(killer.stage, killer.partition, HOPELESS[death]))
        else:
            yield from _run(client, Lanes({CPU: 1}, iter(again)), offered, suspects, failures)


def _describe(failures: list[PartitionError]) -> Iterator[str]:
    """Name each stage's partitions once per cause: one wrong setting fails them all alike."""
    partitions: dict[tuple[str, str], list[str]] = {}
    for failure in failures:
        partitions.setdefault((failure.stage, failure.cause), []).append(failure.partition)
    for (stage, cause), names in partitions.items():
        yield f"stage {stage} failed on {len(names)} partitions ({', '.join(sorted(names))}): {cause}"


def submit(client: Client, task: Task, offered: Counter[str], **options: Any) -> Future:
    """Send one task to the cluster. Keys are tuples: string keys with other shapes defeat Dask's task groups."""
    wanted = {name: number for name, number in (task.resources or {}).items() if offered[name]}
    return client.submit(
        task.call,
        *task.args,
        key=(f"{task.stage}", task.partition, time.monotonic_ns()),
        retries=RETRIES,
        resources=wanted or ({CPU: 1.0} if offered[CPU] else None),
        pure=False,
        **options,
    )


def find_killers(
    client: Client, items: list[str], probe: Callable[[list[str]], Task], *, limit: int | None = None
) -> dict[str, Death]:
    """Return those of ``items`` whose processing kills a worker, and how, by bisection.

    Args:
        client: A client whose cluster restarts dead workers (a nanny does).
        items: Ids, such as the doc_ids of a partition.
        probe: Makes a task that processes only the given ids and writes nothing.
        limit: Look for no more than one more than so many.
    """
    offered, found = offered_resources(client), dict[str, Death]()
    parts = [items]
    while parts and (limit is None or len(found) <= limit):
        part = parts.pop()
        death = _death(client, probe(part), offered)
        if death is None:
            continue
        if len(part) == 1:
            found[part[0]] = death
        else:
            middle = len(part) // 2
            parts += [part[middle:], part[:middle]]
    return found


def _death(client: Client, task: Task, offered: Counter[str]) -> Death | None:
    try:
        submit(client, task, offered).result()
    except KilledWorker as error:
        return cause_of(client, error)
    return None
