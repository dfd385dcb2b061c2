import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from distributed import Client, KilledWorker

from curate.contract.errors import CurateError
from pipelines.engine.deaths import Death
from pipelines.engine.loop import RETRIES, Lanes, Report, Task, find_killers, run_tasks
from tests.pipelines.cluster_tasks import announce_and_wait, dawdle, die, echo, fail, fail_at_first, touch, wait_for
from tests.pipelines.fake_client import FakeClient


def echo_task(partition: str, then: Callable[[Report], list[Task]] = lambda _: []) -> Task:
    return Task(stage="echo", partition=partition, call=echo, args=(partition,), then=then)


def names(client: Client, tasks: list[Task], *, window: int = 4) -> list[str]:
    return [report.partition for report in run_tasks(client, tasks, window=window)]


def test_every_task_is_reported_once(client: Client) -> None:
    reports = list(run_tasks(client, [echo_task(f"p{n}") for n in range(12)], window=5))
    assert sorted(report.partition for report in reports) == sorted(f"p{n}" for n in range(12))
    assert {report.stage for report in reports} == {"echo"}


def test_work_is_done_in_other_processes(client: Client) -> None:
    tasks = [Task(stage="dawdle", partition=f"{n}", call=dawdle, args=(f"{n}", 0.2)) for n in range(4)]
    list(run_tasks(client, tasks, window=4))
    pids = {report.counters["pid"] for report in run_tasks(client, [echo_task(f"{n}") for n in range(8)], window=8)}
    assert os.getpid() not in pids


def test_no_task_is_no_report(client: Client) -> None:
    assert names(client, []) == []


@pytest.mark.parametrize("window", [1, 3])
def test_the_window_is_never_exceeded_and_tasks_are_taken_lazily(client: Client, window: int) -> None:
    begun: list[int] = []

    def produce() -> Iterator[Task]:
        for number in range(10):
            begun.append(number)
            yield echo_task(f"{number}")

    num_done, most_ahead = 0, 0
    for _ in run_tasks(client, produce(), window=window):
        most_ahead = max(most_ahead, len(begun) - num_done)
        num_done += 1
        assert len(begun) - num_done < window + 1
    assert num_done == 10
    assert most_ahead == window


def test_successors_are_counted_in_the_window(client: Client) -> None:
    most = num_done = 0

    def fan_out(report: Report) -> list[Task]:
        names = [f"{report.partition}.{number}" for number in range(6)]
        return [Task(stage="dawdle", partition=name, call=dawdle, args=(name, 0.05)) for name in names]

    for _ in run_tasks(client, [echo_task("a", fan_out), echo_task("b", fan_out)], window=2):
        in_flight = sum(len(keys) for keys in client.processing().values())
        most = max(most, in_flight)
        num_done += 1
    assert num_done == 14
    assert most <= 2


def test_successors_run_before_new_partitions_and_in_their_order(client: Client) -> None:
    def then(report: Report) -> list[Task]:
        return [echo_task(f"{report.partition}.{n}") for n in (1, 2)]

    found = names(client, [echo_task("a", then), echo_task("b", then)], window=1)
    assert found == ["a", "a.1", "a.2", "b", "b.1", "b.2"]


def test_what_a_task_announces_begins_while_it_goes_on(client: Client, tmp_path: Path) -> None:
    """The task waits for a file that only what follows its announcement writes."""
    flag = tmp_path / "flag"

    def on_announced(partition: str) -> list[Task]:
        return [Task(stage="touch", partition=partition, call=touch, args=(partition, str(flag)))]

    task = Task(
        stage="wait", partition="file", call=announce_and_wait, args=("file", str(flag)), on_announced=on_announced
    )
    reports = list(run_tasks(client, [task], window=2))
    assert [(report.stage, report.partition) for report in reports] == [("touch", "part 1"), ("wait", "file")]


def test_an_announcement_never_overfills_the_window(client: Client, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    flag.touch()
    num_sent: list[int] = []

    def on_announced(partition: str) -> list[Task]:
        num_sent.append(sum(len(keys) for keys in client.processing().values()))
        return [echo_task(f"{partition}.{number}") for number in range(5)]

    tasks = [
        Task(stage="wait", partition=name, call=announce_and_wait, args=(name, str(flag)), on_announced=on_announced)
        for name in "ab"
    ]
    assert len(names(client, tasks, window=2)) == 12
    assert max(num_sent) <= 2


def test_a_task_that_fails_twice_succeeds(client: Client, tmp_path: Path) -> None:
    args = ("p", f"{tmp_path}/calls", RETRIES)
    (report,) = run_tasks(client, [Task(stage="flaky", partition="p", call=fail_at_first, args=args)], window=2)
    assert report.counters == {"calls": RETRIES + 1}


def test_a_task_that_goes_on_failing_is_given_up_and_named(client: Client, tmp_path: Path) -> None:
    note = tmp_path / "calls"
    task = Task(stage="flaky", partition="p", call=fail_at_first, args=("p", str(note), 99))
    with pytest.raises(CurateError) as caught:
        list(run_tasks(client, [task], window=2))
    assert str(caught.value) == "stage flaky failed on 1 partitions (p): CurateError: the disk is full"
    assert len(note.read_text(encoding="utf-8").splitlines()) == RETRIES + 1


def test_failures_are_named_once_per_cause_after_all_else_is_done(client: Client) -> None:
    def failing(partition: str, cause: str) -> Task:
        then = lambda _: [echo_task("never")]  # noqa: E731 - one line
        return Task(stage="bad", partition=partition, call=fail, args=(partition, cause), then=then)

    tasks = [failing("p2", "no model"), echo_task("a"), failing("p1", "no model"), failing("p3", "other")]
    tasks.append(echo_task("b"))
    found: list[str] = []
    with pytest.raises(CurateError) as caught:
        found.extend(report.partition for report in run_tasks(client, tasks, window=2))
    assert sorted(found) == ["a", "b"]
    assert sorted(str(caught.value).splitlines()) == [
        "stage bad failed on 1 partitions (p3): ValueError: other",
        "stage bad failed on 2 partitions (p1, p2): ValueError: no model",
    ]


def test_only_those_that_kill_their_workers_are_blamed_and_the_rest_goes_on(client: Client) -> None:
    """A dying worker takes with it all that was sent to it, and results that were not fetched yet."""
    blamed: list[str] = []

    def task(name: str, call: Callable[..., Report], *args: object) -> Task:
        def on_killed(death: Death) -> list[Task]:
            assert death is Death.CRASH
            blamed.append(name)
            return [echo_task(f"{name} again")]

        return Task(stage=call.__name__, partition=name, call=call, args=(name, *args), on_killed=on_killed)

    tasks = [task("killer", die), *(task(f"{n}", dawdle, 0.1) for n in range(4))]
    hopeless = Task(stage="die", partition="hopeless", call=die, args=("hopeless",))
    found: list[str] = []
    with pytest.raises(CurateError, match=r"stage die failed on 1 partitions \(hopeless\): KilledWorker") as caught:
        found.extend(report.partition for report in run_tasks(client, [*tasks, hopeless], window=6))
    assert len(str(caught.value).splitlines()) == 1
    assert blamed == ["killer"]
    assert sorted(found) == ["0", "1", "2", "3", "killer again"]


class Bisection:
    """Looks for killers among documents and counts how often."""

    def __init__(self, *killers: str) -> None:
        self.killers, self.probes = set(killers), list[list[str]]()

    def probe(self, doc_ids: list[str]) -> Task:
        return Task(stage="probe", partition="p", call=self.run, args=(doc_ids,))

    def run(self, doc_ids: list[str]) -> Report:
        self.probes.append(doc_ids)
        if self.killers & set(doc_ids):
            raise KilledWorker("task", None, 1)
        return Report(stage="probe", partition="p")

    def find(self, doc_ids: list[str]) -> list[str]:
        return list(find_killers(FakeClient(), doc_ids, self.probe))


DOC_IDS = [f"d{n:02d}" for n in range(16)]


@pytest.mark.parametrize("killers", [[], ["d00"], ["d15"], ["d03", "d04"], ["d00", "d07", "d08"], DOC_IDS])
def test_killers_are_found_by_bisection(killers: list[str]) -> None:
    bisection = Bisection(*killers)
    assert bisection.find(DOC_IDS) == killers


def test_one_killer_costs_few_probes() -> None:
    bisection = Bisection("d05")
    bisection.find(DOC_IDS)
    assert len(bisection.probes) == 9
    assert Bisection("a").find(["a"]) == ["a"]


def test_the_search_ends_when_there_are_too_many_killers() -> None:
    bisection = Bisection(*DOC_IDS)
    assert list(find_killers(FakeClient(), DOC_IDS, bisection.probe, limit=2)) == DOC_IDS[:3]


def test_other_faults_of_a_probe_are_not_taken_for_poison() -> None:
    def probe(doc_ids: list[str]) -> Task:
        return Task(stage="probe", partition="+".join(doc_ids), call=fail, args=("p", "no such file"))

    with pytest.raises(ValueError, match="no such file"):
        find_killers(FakeClient(), ["a", "b"], probe)


def waiting(path: Path, *names: str) -> list[Task]:
    args = {name: (name, str(path)) for name in names}
    return [
        Task(stage="wait", partition=name, call=wait_for, args=args[name], resources={"FETCH": 1.0}) for name in names
    ]


def test_who_waits_for_the_network_holds_up_nobody_else(fetching: Client, tmp_path: Path) -> None:
    path, found = tmp_path / "answer", list[str]()
    tasks = [*waiting(path, *"abcdefgh"), *(echo_task(f"{n}") for n in range(6))]
    for report in run_tasks(fetching, tasks[::-1], window=2):
        found.append(report.partition)
        if len(found) == 6:  # no fetch can be done yet
            path.touch()
    assert found[:6] == [f"{n}" for n in reversed(range(6))]
    assert sorted(found[6:]) == list("abcdefgh")


def test_work_for_cpus_stays_out_of_the_processes_that_fetch(fetching: Client, tmp_path: Path) -> None:
    path = tmp_path / "answer"
    path.touch()
    tasks = [*waiting(path, *"abcd"), *(echo_task(f"{n}") for n in range(8))]
    pids: dict[str, set[int]] = {"wait": set(), "echo": set()}
    for report in run_tasks(fetching, tasks, window=4):
        pids[report.stage].add(report.counters["pid"])
    assert {stage: len(found) for stage, found in pids.items()} == {"wait": 1, "echo": 1}
    assert pids["wait"] != pids["echo"]


def test_a_new_task_whose_lane_is_full_waits_and_is_not_lost() -> None:
    fetches = [Task(stage="f", partition=f"f{n}", call=echo, args=(), resources={"FETCH": 1.0}) for n in range(3)]
    work = [Task(stage="w", partition=f"w{n}", call=echo, args=()) for n in range(3)]
    lanes = Lanes({"CPU": 1, "FETCH": 1}, iter([fetches[0], fetches[1], *work]))
    assert lanes.begin() is fetches[0]
    assert lanes.begin() is None  # the second one is held back
    lanes.add([work[2], fetches[2]])
    assert lanes.begin() is work[2]
    lanes.done(fetches[0])
    assert [lanes.begin(), lanes.begin()] == [fetches[2], None]
    lanes.done(fetches[2])
    assert [lanes.begin(), lanes.begin()] == [fetches[1], None]
    lanes.done(work[2])
    assert [lanes.begin(), lanes.begin()] == [work[0], None]
