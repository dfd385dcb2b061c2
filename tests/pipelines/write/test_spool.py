from pathlib import Path

import pyarrow as pa
import pytest

from curate.contract.errors import ShardError
from pipelines.run.context import RunContext
from pipelines.run.tables import BLEND_ORDER
from pipelines.write import spool
from pipelines.write.spool import gather, remove_spool, spool_folder, spool_partition, write_gather_lists
from shards.reader import ShardReader
from tests.pipelines.corpus import Picture, chat, decide_all, doc, jpeg, make_context, pair, write_partition

FIRST, SECOND, LAST = "mmc4-00000-00000", "coyo-00000-00000", "flan-00000-00000"
ROWS = [(0, "c", SECOND), (0, "b", FIRST), (1, "b", FIRST), (1, "a", FIRST), (2, "t", LAST), (2, "c", SECOND)]


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    made = make_context(tmp_path)
    write_partition(made, FIRST, [doc("a", "text", Picture(number=1)), doc("b", "more text", Picture(number=3))])
    write_partition(made, SECOND, [pair("c", Picture(number=2))])
    write_partition(made, LAST, [chat("t")])
    decide_all(made, FIRST, SECOND, LAST)
    made.folder.write(BLEND_ORDER, "main", rows=order(), made_from="by hand")
    return made


def order(shards: range = range(3)) -> pa.Table:
    rows = [{"shard": s, "doc_id": doc_id, "partition": part, "repeat": 0} for s, doc_id, part in ROWS if s in shards]
    return pa.Table.from_pylist(rows, schema=BLEND_ORDER.schema)


def spool_all(context: RunContext, shards: range = range(3)) -> None:
    wave = order(shards)
    for partition in wave["partition"].unique().to_pylist():
        spool_partition(context, "main", partition, shards, str(shards))
    write_gather_lists(context, "main", wave, made_from=str(shards))


def test_shards_find_their_samples_in_their_order(context: RunContext) -> None:
    spool_all(context)
    found = [[sample.record["doc_id"] for sample in gather(context, "main", shard)] for shard in range(3)]
    assert found == [["c", "b"], ["b", "a"], ["t", "c"]]
    assert next(gather(context, "main", 0)).images == [jpeg(2)]


def test_a_document_is_spooled_once_where_it_is_first_used(context: RunContext) -> None:
    spool_all(context)
    tar = Path(spool_folder(context, "main"), f"{FIRST}.tar").read_bytes()
    assert tar.count(b'"doc_id":"b"') == 1
    assert tar.index(b'"doc_id":"b"') < tar.index(b'"doc_id":"a"')


def test_a_wave_holds_what_its_shards_take(context: RunContext) -> None:
    spool_all(context, range(1, 2))
    assert sorted(path.name for path in Path(spool_folder(context, "main")).glob("*.tar")) == [f"{FIRST}.tar"]
    assert [sample.record["doc_id"] for sample in gather(context, "main", 1)] == ["b", "a"]


def test_what_is_spooled_is_skipped_in_its_wave_alone(context: RunContext) -> None:
    assert not spool_partition(context, "main", FIRST, range(3), "v1").skipped
    assert spool_partition(context, "main", FIRST, range(3), "v1").skipped
    assert not spool_partition(context, "main", FIRST, range(2), "v2").skipped


def test_a_partition_that_was_not_spooled_is_named(context: RunContext) -> None:
    spool_partition(context, "main", FIRST, range(3), "v1")
    with pytest.raises(ShardError, match=SECOND):
        write_gather_lists(context, "main", order(), made_from="v1")


def test_few_bytes_are_held_at_a_time(context: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
    spool_all(context)
    sizes: list[int] = []
    whole = ShardReader.read_many

    def read_many(self: ShardReader, rows: list[dict[str, object]]) -> object:
        sizes.append(len(rows))
        return whole(self, rows)

    monkeypatch.setattr(spool, "GATHER_BYTES", 1)
    monkeypatch.setattr(ShardReader, "read_many", read_many)
    assert len(list(gather(context, "main", 1))) == 2
    assert sizes == [1, 1]


def test_nothing_is_left(context: RunContext) -> None:
    spool_all(context)
    remove_spool(context, "main")
    remove_spool(context, "main")
    assert not Path(spool_folder(context, "main")).parent.exists()
