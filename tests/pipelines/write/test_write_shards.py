from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pipelines.decide.pool_arrays import as_pool

from curate.blend.plan import BlendPlan, plan_blend
from curate.contract.errors import ShardError
from pipelines.run.context import RunContext
from pipelines.run.tables import BLEND_ORDER, POOL
from pipelines.write.spool import spool_partition, write_gather_lists
from pipelines.write.write_shards import cut_order, load_results, write_one_shard
from shards.config import ShardsConfig
from shards.reader import read_sample
from tests.pipelines.corpus import Picture, decide_all, doc, jpeg, make_context, pair, write_partition

FIRST, SECOND = "mmc4-00000-00000", "coyo-00000-00000"


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    made = make_context(tmp_path)
    write_partition(made, FIRST, [doc("b", "text", Picture(number=1)), doc("a", "more text")])
    write_partition(made, SECOND, [pair("c", Picture(number=2))])
    decide_all(made, FIRST, SECOND)
    return made


def pool_of(*sizes: int) -> pa.Table:
    rows = [
        {"doc_id": f"d{n}", "partition": FIRST, "source": "mmc4", "kind": "pair", "num_images": 1, "num_words": 1,
         "num_chars": 1, "num_bytes": size}
        for n, size in enumerate(sizes)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=POOL.schema)


def plan_of(*, rows: list[int], repeats: list[int]) -> BlendPlan:
    return BlendPlan(rows=np.array(rows, np.uint32), repeats=np.array(repeats, np.int32), summary={})


def write_order(context: RunContext, *rows: tuple[int, str, str]) -> None:
    table = pa.Table.from_pylist(
        [{"shard": shard, "doc_id": doc_id, "partition": partition, "repeat": 0} for shard, doc_id, partition in rows],
        schema=BLEND_ORDER.schema,
    )
    context.folder.write(BLEND_ORDER, "main", rows=table, made_from="by hand")
    for partition in sorted({partition for _, _, partition in rows}):
        spool_partition(context, "main", partition, range(10), str(rows))
    write_gather_lists(context, "main", table, made_from=str(rows))


def contents(context: RunContext, made_from: str) -> list[tuple[str, int]]:
    """Return document and images of every sample of shard 0, read from the tar by its index."""
    (result,) = load_results(context, "main", 1, made_from)
    samples = [read_sample(context.folder.file("shards", "main"), row) for row in result.index.to_pylist()]
    return [(sample.record["doc_id"], len(sample.images)) for sample in samples]


@pytest.mark.parametrize(
    ("config", "shards"),
    [
        (ShardsConfig(), [0, 0, 0, 0]),
        (ShardsConfig(samples=3), [0, 0, 0, 1]),
        (ShardsConfig(samples=1), [0, 1, 2, 3]),
        # 3, 1, 1, 2 in the order of the blend.
        (ShardsConfig(bytes=4), [0, 0, 1, 1]),
        (ShardsConfig(bytes=1), [0, 1, 2, 3]),
    ],
)
def test_the_order_is_cut_by_samples_and_bytes(config: ShardsConfig, shards: list[int]) -> None:
    cut = cut_order(plan_of(rows=[2, 0, 0, 1], repeats=[0, 0, 1, 0]), pool_of(1, 2, 3), config)
    assert cut.schema.equals(BLEND_ORDER.schema)
    assert cut["shard"].to_pylist() == shards
    assert cut["doc_id"].to_pylist() == ["d2", "d0", "d0", "d1"]
    assert cut["repeat"].to_pylist() == [0, 0, 1, 0]


def test_an_order_of_a_real_plan_and_an_empty_one_are_cut() -> None:
    pool = pool_of(5, 5, 5)
    plan = plan_blend(as_pool(pool), make_context(Path("/nowhere")).recipe.blend)
    assert sorted(cut_order(plan, pool, ShardsConfig(samples=2))["shard"].to_pylist()) == [0, 0, 1]
    assert cut_order(plan_of(rows=[], repeats=[]), pool, ShardsConfig()).num_rows == 0


def test_a_shard_holds_its_samples_in_order(context: RunContext) -> None:
    write_order(context, (0, "c", SECOND), (0, "b", FIRST), (0, "c", SECOND), (1, "a", FIRST))
    report = write_one_shard(context, "main", 0, "v1")
    assert report.partition == "00000.tar"
    assert (report.counters["samples"], report.counters["images"]) == (3, 3)
    assert contents(context, "v1") == [("c", 1), ("b", 1), ("c", 1)]
    (result,) = load_results(context, "main", 1, "v1")
    row = result.index.to_pylist()[0]
    assert read_sample(context.folder.file("shards", "main"), row, check_images=True).images == [jpeg(2)]


def test_a_written_shard_is_skipped(context: RunContext) -> None:
    write_order(context, (0, "b", FIRST))
    assert not write_one_shard(context, "main", 0, "v1").skipped
    assert write_one_shard(context, "main", 0, "v1").skipped
    assert not write_one_shard(context, "main", 0, "v2").skipped


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_a_lost_or_shortened_shard_is_written_again(context: RunContext, damage: str) -> None:
    write_order(context, (0, "b", FIRST))
    write_one_shard(context, "main", 0, "v1")
    path = Path(context.folder.file("shards", "main", "00000.tar"))
    whole = path.read_bytes()
    path.unlink()
    if damage == "cut":
        path.write_bytes(whole[:512])
    assert not write_one_shard(context, "main", 0, "v1").skipped
    assert path.read_bytes() == whole


def test_going_back_to_an_earlier_order_writes_its_shard_again(context: RunContext) -> None:
    """Another order of the same samples is a tar of the same size."""
    orders = {"v1": [(0, "b", FIRST), (0, "c", SECOND)], "v2": [(0, "c", SECOND), (0, "b", FIRST)]}
    path = Path(context.folder.file("shards", "main", "00000.tar"))
    tars = {}
    for made_from in ("v1", "v2"):
        write_order(context, *orders[made_from])
        write_one_shard(context, "main", 0, made_from)
        tars[made_from] = path.read_bytes()
    assert len(tars["v1"]) == len(tars["v2"])
    assert tars["v1"] != tars["v2"]
    write_order(context, *orders["v1"])
    write_one_shard(context, "main", 0, "v1")
    assert path.read_bytes() == tars["v1"]


def test_a_shard_without_a_note_has_no_result(context: RunContext) -> None:
    with pytest.raises(ShardError, match="not the result of a written shard"):
        load_results(context, "main", 1, "v1")
