"""Kill -9 at any moment from proposing pairs to the report: going on ends in the same shards, verdicts and ledger."""

import signal
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from pipelines.run.context import RunContext
from pipelines.verify import verify
from tests.integration.copied_run import contents, decide_everything, measure_copies
from tests.integration.fork_server import fork_server
from tests.integration.killing import copy_of, work_in_process
from tests.pipelines.in_process import InProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
NUM_KILLS = 24


def decide_here(context: RunContext) -> None:
    decide_everything(context, InProcess())


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> RunContext:
    return measure_copies(tmp_path_factory.mktemp("measured"))


@pytest.fixture(scope="module")
def processes() -> Iterator[ForkServerContext]:
    with fork_server("tests.integration.test_kill_deciding", "pandas") as context:
        yield context


def test_killed_at_any_moment_it_goes_on_to_the_same_end(
    ready: RunContext, processes: ForkServerContext, tmp_path: Path
) -> None:
    undisturbed = copy_of(ready, tmp_path / "undisturbed")
    exit_code, num_events = work_in_process(processes, decide_here, undisturbed)
    assert exit_code == 0
    assert num_events > 5 * NUM_KILLS
    wanted = contents(undisturbed)
    assert verify(undisturbed.folder.root) == []
    phases = set()
    for number in range(NUM_KILLS):
        context = copy_of(ready, tmp_path / f"killed-{number}")
        last = 2 + number * (num_events - 2) // NUM_KILLS
        assert work_in_process(processes, decide_here, context, last=last) == (-signal.SIGKILL, last)
        phases.add(tuple(sorted(path.name for path in Path(context.folder.root).iterdir())))
        decide_here(context)
        assert contents(context) == wanted
    assert len(phases) > 3
