"""Kill -9 while shards are written, again and again: what is visible is whole, and going on ends in the same bytes."""

import signal
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from curate.blend.plan import plan_blend
from curate.blend.pool import read_pool
from pipelines.decide.decision import Decision
from pipelines.run.context import RunContext
from pipelines.run.folder import read_json, write_json
from pipelines.run.order import Order, write_order
from pipelines.write.layout import cut_order
from pipelines.write.spool import Wave, spool_partition
from pipelines.write.write_shards import is_shard_written, load_results, write_one_shard
from shards.card import ShardSetInfo
from shards.config import ShardsConfig
from shards.finish import finish_shard_set, start_shard_set
from shards.verify import verify_shards
from tests.integration.fork_server import fork_server
from tests.integration.killing import copy_of, work_in_process
from tests.pipelines.corpus import Picture, decide_all, doc, make_context, write_partition

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
NUM_KILLS = 20
PARTITION, NUM_DOCS, NUM_SHARDS = "mmc4-00000-00000", 240, 8
MADE_FROM = "the same order and content"


def write_everything(context: RunContext) -> None:
    """Write the set as a run does: start, the spool, every shard that is missing, finish."""
    folder = context.folder.file("shards", "main")
    decision = Decision(fingerprint=read_json(context.folder.file("decision.json")))
    wave = Wave(name="main", decision=decision, shards=range(NUM_SHARDS), made_from=MADE_FROM, spooled_from=MADE_FROM)
    start_shard_set(folder)
    if not all(is_shard_written(context, "main", shard, MADE_FROM) for shard in range(NUM_SHARDS)):
        spool_partition(context, wave, 0, PARTITION)
    for shard in range(NUM_SHARDS):
        write_one_shard(context, wave, shard, [PARTITION])
    results = load_results(context, "main", NUM_SHARDS, MADE_FROM)
    finish_shard_set(folder, results, info=ShardSetInfo(name="main", recipe_sha256="0" * 64))


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> RunContext:
    """Return a run that is decided and planned, with nothing written."""
    context = make_context(tmp_path_factory.mktemp("planned"))
    docs = [doc(f"{number:016x}", f"text {number}", Picture(number=number)) for number in range(NUM_DOCS)]
    write_partition(context, PARTITION, docs)
    decided = decide_all(context, PARTITION)
    pool = read_pool(decided.iterate_pool(context))
    plan = plan_blend(pool, context.recipe.blend)
    shards = cut_order(plan.rows, pool, ShardsConfig(samples=NUM_DOCS // NUM_SHARDS))
    order = Order(rows=plan.rows, repeats=plan.repeats, shards=shards, starts=pool.starts)
    write_order(context, "main", order, made_from="by hand")
    write_json(context.folder.file("decision.json"), decided.decision.fingerprint)
    return context


@pytest.fixture(scope="module")
def processes() -> Iterator[ForkServerContext]:
    # Arrow imports pandas, where it is installed, at its first array.
    with fork_server("tests.integration.test_kill_writing", "pandas") as context:
        yield context


def contents(context: RunContext) -> dict[str, bytes]:
    folder = Path(context.folder.file("shards", "main"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(
    planned: RunContext, processes: ForkServerContext, tmp_path: Path
) -> None:
    undisturbed = copy_of(planned, tmp_path / "undisturbed")
    exit_code, num_events = work_in_process(processes, write_everything, undisturbed)
    assert exit_code == 0
    assert num_events > 5 * NUM_KILLS
    wanted = contents(undisturbed)
    assert verify_shards(undisturbed.folder.file("shards", "main")) == []
    num_begun = num_unfinished = 0
    for number in range(NUM_KILLS):
        context = copy_of(planned, tmp_path / f"killed-{number}")
        last = 1 + number * (num_events - 1) // (NUM_KILLS - 1)  # from the first to the very last
        assert work_in_process(processes, write_everything, context, last=last) == (-signal.SIGKILL, last)
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
