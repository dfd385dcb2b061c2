"""Kill -9 at any moment from proposing pairs to the report: going on ends in the same shards, verdicts and ledger."""

import signal
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from pipelines.account import account_for
from pipelines.build import decide_and_write
from pipelines.run.context import RunContext
from pipelines.run.manifest import load_manifest
from pipelines.verify import verify
from tests.integration.fork_server import fork_server
from tests.integration.killing import copy_of, work_in_process
from tests.pipelines.corpus import CLIP, Picture, chat, doc, make_context, measured, pair, write_partition
from tests.pipelines.in_process import InProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
NUM_KILLS = 24
RECIPE = (
    CLIP
    + """
admit: {url.frequency: {max: 3}}
keep: {image.size: {min: 100}, doc.images: {min: 1}}
dedup: {image: {exact: true, cosine: 0.95}}
shards: {samples: 9}
"""
)
NAMES = ("mmc4-00000-00000", "mmc4-00000-00001", "coyo-00000-00000", "flan-00000-00000")


def decide_everything(context: RunContext) -> None:
    """Count URLs, propose, judge, settle, finish, plan, write and account, as a run does."""
    workers = InProcess()
    built = decide_and_write(workers, context, load_manifest(context))
    account_for(workers, context, built.decided)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> RunContext:
    """Return a measured run with copies of both sorts, within and between partitions."""
    context = make_context(tmp_path_factory.mktemp("measured"), RECIPE)
    for start, name in ((0, NAMES[0]), (20, NAMES[1])):
        docs = [
            doc(f"{n:03}", f"text {n}", Picture(number=n % 17), Picture(number=n + 40, direction=n % 23))
            for n in range(start, start + 20)
        ]
        write_partition(context, name, docs)
    write_partition(context, NAMES[2], [pair(f"p{n}", Picture(number=100 + n)) for n in range(12)])
    write_partition(context, NAMES[3], [chat(f"c{n}", f"question {n}") for n in range(12)])
    measured(context, *NAMES)
    return context


@pytest.fixture(scope="module")
def processes() -> Iterator[ForkServerContext]:
    with fork_server("tests.integration.test_kill_deciding", "pandas") as context:
        yield context


def contents(context: RunContext) -> dict[str, bytes]:
    """Return what people see of a run, and its decision."""
    root = Path(context.folder.root)
    places = [root / "shards", root / "decided", root / "ledger.json"]
    paths = [path for place in places for path in ([place] if place.is_file() else sorted(place.rglob("*")))]
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in paths
        if path.is_file() and not path.name.endswith(".partial") and path.name != "report.html"
    }


def test_killed_at_any_moment_it_goes_on_to_the_same_end(
    ready: RunContext, processes: ForkServerContext, tmp_path: Path
) -> None:
    undisturbed = copy_of(ready, tmp_path / "undisturbed")
    exit_code, num_events = work_in_process(processes, decide_everything, undisturbed)
    assert exit_code == 0
    assert num_events > 5 * NUM_KILLS
    wanted = contents(undisturbed)
    assert verify(undisturbed.folder.root) == []
    phases = set()
    for number in range(NUM_KILLS):
        context = copy_of(ready, tmp_path / f"killed-{number}")
        last = 2 + number * (num_events - 2) // NUM_KILLS
        assert work_in_process(processes, decide_everything, context, last=last) == (-signal.SIGKILL, last)
        phases.add(tuple(sorted(path.name for path in Path(context.folder.root).iterdir())))
        decide_everything(context)
        assert contents(context) == wanted
    assert len(phases) > 3
