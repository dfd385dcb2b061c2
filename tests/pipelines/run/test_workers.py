import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client
from rich.console import Console

from curate.contract.errors import CurateError
from pipelines.engine.loop import Task
from pipelines.run.folder import RunFolder
from pipelines.run.progress import Progress
from pipelines.run.workers import Workers
from tests.pipelines.cluster_tasks import echo, fail


@pytest.fixture
def workers(client: Client, tmp_path: Path) -> Iterator[Workers]:
    with Progress(RunFolder(str(tmp_path)), console=Console(file=io.StringIO())) as progress:
        yield Workers(client=client, window=3, progress=progress)


def echoes(*names: str) -> list[Task]:
    return [Task(stage="echo", partition=name, call=echo, args=(name,)) for name in names]


def test_reports_of_a_phase_are_shown_and_come_back_by_name(workers: Workers) -> None:
    reports = workers.finish("say", echoes("c", "a", "d", "b"))
    assert [report.partition for report in reports] == ["a", "b", "c", "d"]
    assert workers.progress.counters["echo"]["done"] == 4
    assert sorted(report.partition for report in workers.run("again", echoes("x", "y"))) == ["x", "y"]
    assert workers.progress.counters["echo"]["done"] == 6


def test_a_phase_without_tasks_is_none(workers: Workers) -> None:
    assert workers.finish("nothing", []) == []
    assert workers.progress.counters == {}


def test_a_task_that_fails_is_told_when_the_others_are_done(workers: Workers) -> None:
    broken = Task(stage="echo", partition="bad", call=fail, args=("bad", "no room"))
    with pytest.raises(CurateError, match=r"\(bad\): .*no room"):
        workers.finish("say", [broken, *echoes("a", "b")])
    assert workers.progress.counters["echo"]["done"] == 2
