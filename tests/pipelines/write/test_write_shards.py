from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from curate.contract.errors import ShardError
from pipelines.decide.decided import Decided
from pipelines.engine.loop import Report
from pipelines.run.context import RunContext
from pipelines.write.spool import spool_folder, spool_partition
from pipelines.write.write_shards import load_results, write_one_shard
from shards.reader import read_sample
from tests.pipelines.corpus import Picture, decide_all, doc, jpeg, make_context, pair, write_partition
from tests.pipelines.orders import lay_order, wave_of

PARTITIONS = ("mmc4-00000-00000", "coyo-00000-00000")
SHARDS = range(10)


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    made = make_context(tmp_path)
    write_partition(made, PARTITIONS[0], [doc("b", "text", Picture(number=1)), doc("a", "more text")])
    write_partition(made, PARTITIONS[1], [pair("c", Picture(number=2))])
    return made


@pytest.fixture
def decided(context: RunContext) -> Decided:
    return decide_all(context, *PARTITIONS)


def spool(context: RunContext, decided: Decided, samples: Sequence[tuple[int, str]], *, made_from: str = "v1") -> None:
    """Lay out a set and spool what it takes."""
    order = lay_order(context, decided, samples)
    for number in set(np.searchsorted(order.starts, order.rows, side="right") - 1):
        spool_partition(context, wave_of(decided, SHARDS, made_from), number, PARTITIONS[number])


def write_first(context: RunContext, decided: Decided, *, made_from: str = "v1") -> Report:
    spooled = [name for name in PARTITIONS if Path(spool_folder(context, "main"), f"{name}.arrow").exists()]
    return write_one_shard(context, wave_of(decided, SHARDS, made_from), 0, spooled)


def contents(context: RunContext, made_from: str) -> list[tuple[str, int]]:
    """Return document and images of every sample of shard 0, read from the tar by its index."""
    (result,) = load_results(context, "main", 1, made_from)
    samples = [read_sample(context.folder.file("shards", "main"), row) for row in result.index.to_pylist()]
    return [(sample.record["doc_id"], len(sample.images)) for sample in samples]


def test_a_shard_holds_its_samples_in_order(context: RunContext, decided: Decided) -> None:
    spool(context, decided, [(0, "c"), (0, "b"), (0, "c"), (1, "a")])
    report = write_first(context, decided)
    assert report.partition == "00000.tar"
    assert (report.counters["samples"], report.counters["images"]) == (3, 3)
    assert contents(context, "v1") == [("c", 1), ("b", 1), ("c", 1)]
    (result,) = load_results(context, "main", 1, "v1")
    row = result.index.to_pylist()[0]
    assert read_sample(context.folder.file("shards", "main"), row, check_images=True).images == [jpeg(2)]


def test_a_written_shard_is_skipped(context: RunContext, decided: Decided) -> None:
    spool(context, decided, [(0, "b")])
    assert not write_first(context, decided).skipped
    assert write_first(context, decided).skipped
    assert not write_first(context, decided, made_from="v2").skipped


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_a_lost_or_shortened_shard_is_written_again(context: RunContext, decided: Decided, damage: str) -> None:
    spool(context, decided, [(0, "b")])
    write_first(context, decided)
    path = Path(context.folder.file("shards", "main", "00000.tar"))
    whole = path.read_bytes()
    path.unlink()
    if damage == "cut":
        path.write_bytes(whole[:512])
    assert not write_first(context, decided).skipped
    assert path.read_bytes() == whole


def test_going_back_to_an_earlier_order_writes_its_shard_again(context: RunContext, decided: Decided) -> None:
    """Another order of the same samples is a tar of the same size."""
    orders = {"v1": [(0, "b"), (0, "c")], "v2": [(0, "c"), (0, "b")]}
    path = Path(context.folder.file("shards", "main", "00000.tar"))
    tars = {}
    for made_from in ("v1", "v2"):
        spool(context, decided, orders[made_from], made_from=made_from)
        write_first(context, decided, made_from=made_from)
        tars[made_from] = path.read_bytes()
    assert len(tars["v1"]) == len(tars["v2"])
    assert tars["v1"] != tars["v2"]
    spool(context, decided, orders["v1"])
    write_first(context, decided)
    assert path.read_bytes() == tars["v1"]


def test_a_shard_without_a_note_has_no_result(context: RunContext) -> None:
    with pytest.raises(ShardError, match="not the result of a written shard"):
        load_results(context, "main", 1, "v1")[0]
