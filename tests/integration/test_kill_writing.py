"""Kill -9 while shards are written, again and again: what is visible is whole, and going on ends in the same bytes."""

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.context import ForkServerContext
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import pytest
from pipelines.decide.pool_arrays import as_pool

from curate.blend.plan import plan_blend
from pipelines.run.context import RunContext
from pipelines.run.folder import RunFolder, read_table
from pipelines.run.tables import BLEND_ORDER
from pipelines.write.spool import spool_partition, write_gather_lists
from pipelines.write.write_shards import cut_order, is_shard_written, load_results, write_one_shard
from shards.card import ShardSetInfo
from shards.config import ShardsConfig
from shards.finish import finish_shard_set, start_shard_set
from shards.verify import verify_shards
from tests.integration.fork_server import fork_server
from tests.pipelines.corpus import Picture, decide_all, doc, make_context, write_partition

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
NUM_KILLS = 20
FILE_EVENTS = {"open", "os.mkdir", "os.remove", "os.rename", "os.truncate"}
"""Between two of these a killed process leaves the same files behind, as what is written here fits its buffers."""
PARTITION, NUM_DOCS, NUM_SHARDS = "mmc4-00000-00000", 240, 8
MADE_FROM = "the same order and content"


def write_everything(context: RunContext) -> None:
    """Write the set as a run does: start, the spool, every shard that is missing, finish."""
    folder = context.folder.file("shards", "main")
    start_shard_set(folder)
    if not all(is_shard_written(context, "main", shard, MADE_FROM) for shard in range(NUM_SHARDS)):
        spool_partition(context, "main", PARTITION, range(NUM_SHARDS), MADE_FROM)
        order = read_table(context.folder.file("blend", "main.parquet"))
        write_gather_lists(context, "main", order, made_from=MADE_FROM)
    for shard in range(NUM_SHARDS):
        write_one_shard(context, "main", shard, MADE_FROM)
    results = load_results(context, "main", NUM_SHARDS, MADE_FROM)
    finish_shard_set(folder, results, info=ShardSetInfo(name="main", recipe_sha256="0" * 64))


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> RunContext:
    """Return a run that is decided and planned, with nothing written."""
    context = make_context(tmp_path_factory.mktemp("planned"))
    docs = [doc(f"{number:016x}", f"text {number}", Picture(number=number)) for number in range(NUM_DOCS)]
    write_partition(context, PARTITION, docs)
    pool = decide_all(context, PARTITION)[PARTITION].pool
    plan = plan_blend(as_pool(pool), context.recipe.blend)
    order = cut_order(plan, pool, ShardsConfig(samples=NUM_DOCS // NUM_SHARDS))
    context.folder.write(BLEND_ORDER, "main", rows=order, made_from="by hand")
    return context


@pytest.fixture(scope="module")
def processes() -> Iterator[ForkServerContext]:
    # Arrow imports pandas, where it is installed, at its first array.
    with fork_server("tests.integration.test_kill_writing", "pandas") as context:
        yield context


def copy_of(planned: RunContext, root: Path) -> RunContext:
    shutil.copytree(planned.folder.root, root)
    return replace(planned, folder=RunFolder(str(root)))


def contents(context: RunContext) -> dict[str, bytes]:
    folder = Path(context.folder.file("shards", "main"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write_until(context: RunContext, last: int, num_seen: "Synchronized[int]") -> None:
    """Write, count what is done to files of the run, and die before it is done for the ``last`` time."""
    root = str(context.folder.root)

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event in FILE_EVENTS and str(arguments[0]).startswith(root):
            num_seen.value += 1
            if num_seen.value == last:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(note)
    write_everything(context)


def write_in_process(processes: ForkServerContext, context: RunContext, *, last: int = 0) -> tuple[int | None, int]:
    """Write in a process of its own, which dies at its ``last`` event; return its exit code and number of events."""
    num_seen = processes.Value("q", 0)
    process = processes.Process(target=write_until, args=(context, last, num_seen))
    process.start()
    process.join()
    found = process.exitcode, int(num_seen.value)
    process.close()
    return found


def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(
    planned: RunContext, processes: ForkServerContext, tmp_path: Path
) -> None:
    undisturbed = copy_of(planned, tmp_path / "undisturbed")
    exit_code, num_events = write_in_process(processes, undisturbed)
    assert exit_code == 0
    assert num_events > 5 * NUM_KILLS
    wanted = contents(undisturbed)
    assert verify_shards(undisturbed.folder.file("shards", "main")) == []
    num_begun = num_unfinished = 0
    for number in range(NUM_KILLS):
        context = copy_of(planned, tmp_path / f"killed-{number}")
        last = 1 + number * (num_events - 1) // (NUM_KILLS - 1)  # from the first to the very last
        assert write_in_process(processes, context, last=last) == (-signal.SIGKILL, last)
        found = contents(context)
        # What stands under its final name is whole; the manifest comes last.
        visible = {name: data for name, data in found.items() if not name.endswith(".partial")}
        assert all(data == wanted[name] for name, data in visible.items())
        assert "manifest.json" not in visible or visible == wanted
        num_begun += bool(found)
        num_unfinished += visible != wanted
        write_everything(context)
        assert contents(context) == wanted
    assert min(num_begun, num_unfinished) >= NUM_KILLS // 2
