"""Deciding, writing and accounting by any number of workers, in any order, through the death of any: the same bytes."""

import io
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

from pipelines import account
from pipelines.build import open_workers
from pipelines.decide import decided
from pipelines.engine.cluster import connect
from pipelines.engine.loop import Report, Task
from pipelines.run.context import RunContext
from pipelines.run.progress import Progress
from pipelines.run.workers import Workers
from pipelines.verify import verify
from tests.integration.copied_run import contents, decide_everything, measure_copies
from tests.integration.killing import copy_of
from tests.pipelines.cluster_tasks import die_once
from tests.pipelines.cut_small import cut_small
from tests.pipelines.in_process import InProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
PHASES = {
    "look at URLs", "hash URLs", "count URLs", "join URL counts",
    "hashes", "equal images", "embeddings", "axes", "similar images", "members",
    "judge", "settle", "decide", "spool", "shards", "account", "gallery",
}  # fmt: skip


class Shuffled(InProcess):
    """Runs the tasks of each phase in an order that is drawn."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        object.__setattr__(self, "draw", random.Random(seed))

    draw: random.Random

    def run(self, phase: str, tasks: Sequence[Task]) -> Iterator[Report]:
        return super().run(phase, self.draw.sample(tasks, len(tasks)))


class Killing(Workers):
    """Kills the worker that has the first task of a phase: in turns before its work and after it."""

    def __init__(self, workers: Workers, notes: Path) -> None:
        super().__init__(client=workers.client, window=workers.window, progress=workers.progress)
        object.__setattr__(self, "notes", notes)
        object.__setattr__(self, "phases", [])

    notes: Path
    phases: list[str]

    def run(self, phase: str, tasks: Sequence[Task]) -> Iterator[Report]:
        if tasks:
            first, *others = tasks
            call = partial(die_once, is_done=len(self.phases) % 2 == 1)
            note = str(self.notes / f"{len(self.phases)}")
            self.phases.append(phase)
            tasks = [replace(first, call=call, args=(first.call, first.args, note)), *others]
        yield from super().run(phase, tasks)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> RunContext:
    return measure_copies(tmp_path_factory.mktemp("measured"))


@pytest.fixture(scope="module")
def wanted(ready: RunContext, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return what one process leaves that does one task after the other."""
    context = copy_of(ready, tmp_path_factory.mktemp("undisturbed") / "run")
    decide_everything(context, InProcess())
    assert verify(context.folder.root) == []
    found = contents(context)
    assert sum(name.endswith(".tar") for name in found) > 3
    return found


def tars(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if name.endswith(".tar")}


@pytest.mark.parametrize("seed", range(3))
def test_tasks_in_any_order_leave_the_same_bytes(
    ready: RunContext, wanted: dict[str, bytes], tmp_path: Path, seed: int
) -> None:
    context = copy_of(ready, tmp_path / "run")
    decide_everything(context, Shuffled(seed))
    assert contents(context) == wanted


@pytest.mark.parametrize("fold_partitions", [1, 3])
def test_work_that_is_cut_small_gives_the_same_shards_in_any_order(
    ready: RunContext, wanted: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fold_partitions: int
) -> None:
    cut_small(monkeypatch, fold_partitions=fold_partitions, group_partitions=4 - fold_partitions, block_num_images=20)
    monkeypatch.setattr(account, "GROUP_PARTITIONS", 4 - fold_partitions)
    found: list[dict[str, bytes]] = []
    for workers in (InProcess(), Shuffled(fold_partitions)):
        context = copy_of(ready, tmp_path / f"run-{len(found)}")
        decide_everything(context, workers)
        assert len(workers.reports) > 30
        found.append(contents(context))
    assert found[0] == found[1]
    assert tars(found[0]) == tars(wanted)


@pytest.mark.parametrize("num_workers", [1, 2])
def test_any_number_of_workers_leaves_the_same_bytes(
    ready: RunContext, wanted: dict[str, bytes], tmp_path: Path, num_workers: int
) -> None:
    context = copy_of(ready, tmp_path / "run")
    with connect(scheduler=None, num_workers=num_workers, gpus=0, memory_limit="auto") as client:
        decide_everything(context, open_workers(client, context, quiet(context)))
    assert contents(context) == wanted


def test_a_worker_that_dies_in_any_phase_changes_no_byte(
    ready: RunContext, wanted: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (account, decided):  # only the driver reads these
        monkeypatch.setattr(module, "GROUP_PARTITIONS", 1)
    context = copy_of(ready, tmp_path / "run")
    notes = tmp_path / "killed"
    notes.mkdir()
    with connect(scheduler=None, num_workers=2, gpus=0, memory_limit="auto") as client:
        workers = Killing(open_workers(client, context, quiet(context)), notes)
        decide_everything(context, workers)
    assert set(workers.phases) == PHASES
    assert len(list(notes.iterdir())) == len(workers.phases)
    assert contents(context) == wanted
    assert verify(context.folder.root) == []


def quiet(context: RunContext) -> Progress:
    return Progress(context.folder, console=Console(file=io.StringIO()))
