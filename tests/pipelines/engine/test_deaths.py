import signal
from collections.abc import Iterator

import pytest
from distributed import Client, KilledWorker

from pipelines.engine.cluster import connect
from pipelines.engine.deaths import Death, cause_of
from pipelines.engine.loop import Report, Task, run_tasks
from tests.pipelines.cluster_tasks import die, echo

LIMIT = "400MB"
"""A bare worker takes half of that."""


@pytest.fixture(scope="module")
def narrow() -> Iterator[Client]:
    with connect(scheduler=None, num_workers=1, gpus=0, memory_limit=LIMIT) as client:
        yield client


def swell(partition: str) -> Report:
    """Take more memory than a worker may have."""
    held = []
    for _ in range(1_000):
        held.append(b"x" * 1_000_000)
        signal.sigtimedwait([], 0.005)
    return Report(stage="swell", partition=partition, counters={"held": len(held)})


def death_by(client: Client, call: object, *args: object) -> Death:
    with pytest.raises(KilledWorker) as caught:
        client.submit(call, *args, pure=False).result()
    return cause_of(client, caught.value)


def test_a_crash_is_told_from_a_lack_of_memory(narrow: Client) -> None:
    assert death_by(narrow, die, "p", int(signal.SIGSEGV)) is Death.CRASH
    assert death_by(narrow, die, "p", int(signal.SIGKILL)) is Death.MEMORY  # as the system does it


@pytest.mark.slow
def test_nannies_end_workers_that_are_over_their_limit(narrow: Client) -> None:
    assert death_by(narrow, swell, "p") is Death.MEMORY


@pytest.mark.slow
def test_what_has_died_of_memory_is_tried_alone_and_gently(narrow: Client) -> None:
    def task(name: str) -> Task:
        gentle = Task(stage="echo", partition=name, call=echo, args=(name,))
        return Task(stage="swell", partition=name, call=swell, args=(name,), gently=lambda: gentle)

    reports = list(run_tasks(narrow, [task("a")], window=2))
    assert [(report.stage, report.partition) for report in reports] == [("echo", "a")]


def test_a_death_of_which_nothing_is_known_is_a_crash(narrow: Client) -> None:
    assert cause_of(narrow, KilledWorker("task", None, 1)) is Death.CRASH
