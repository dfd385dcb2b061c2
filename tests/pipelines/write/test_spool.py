from pathlib import Path
from typing import Any

import pytest

from curate.contract.errors import CurateError
from pipelines.decide.decided import Decided
from pipelines.run.context import RunContext
from pipelines.write import spool
from pipelines.write.samples import load_samples
from pipelines.write.spool import Wave, gather, remove_spool, spool_folder, spool_partition
from shards.reader import ShardReader
from tests.pipelines.corpus import Picture, chat, decide_all, doc, jpeg, make_context, pair, write_partition
from tests.pipelines.orders import lay_order, wave_of

FIRST, SECOND, LAST = "mmc4-00000-00000", "coyo-00000-00000", "flan-00000-00000"
PARTITIONS = (FIRST, SECOND, LAST)
SAMPLES = [(0, "c"), (0, "b"), (1, "b"), (1, "a"), (2, "t"), (2, "c")]
TAKEN = ((FIRST, SECOND), (FIRST,), (SECOND, LAST))
"""Of which partitions each shard takes samples."""


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    made = make_context(tmp_path)
    write_partition(made, FIRST, [doc("a", "text", Picture(number=1)), doc("b", "more text", Picture(number=3))])
    write_partition(made, SECOND, [pair("c", Picture(number=2))])
    write_partition(made, LAST, [chat("t")])
    return made


@pytest.fixture
def decided(context: RunContext) -> Decided:
    found = decide_all(context, *PARTITIONS)
    lay_order(context, found, SAMPLES)
    return found


def spool_all(context: RunContext, decided: Decided, shards: range = range(3)) -> Wave:
    wave = wave_of(decided, shards, "v1")
    for number, partition in enumerate(PARTITIONS):
        if any(partition in TAKEN[shard] for shard in shards):
            spool_partition(context, wave, number, partition)
    return wave


def gathered(context: RunContext, wave: Wave, shard: int) -> list[str]:
    return [sample.record["doc_id"] for sample in gather(context, wave, shard, TAKEN[shard])]


def test_shards_find_their_samples_in_their_order(context: RunContext, decided: Decided) -> None:
    wave = spool_all(context, decided)
    assert [gathered(context, wave, shard) for shard in range(3)] == [["c", "b"], ["b", "a"], ["t", "c"]]
    assert next(gather(context, wave, 0, TAKEN[0])).images == [jpeg(2)]


def test_a_document_is_spooled_once_where_it_is_first_used(context: RunContext, decided: Decided) -> None:
    spool_all(context, decided)
    tar = Path(spool_folder(context, "main"), f"{FIRST}.tar").read_bytes()
    assert tar.count(b'"doc_id":"b"') == 1
    assert tar.index(b'"doc_id":"b"') < tar.index(b'"doc_id":"a"')


def test_a_wave_holds_what_its_shards_take(context: RunContext, decided: Decided) -> None:
    wave = spool_all(context, decided, range(1, 2))
    assert sorted(path.name for path in Path(spool_folder(context, "main")).glob("*.tar")) == [f"{FIRST}.tar"]
    assert gathered(context, wave, 1) == ["b", "a"]
    later = spool_all(context, decided, range(2, 3))
    assert gathered(context, later, 2) == ["t", "c"]
    tar = Path(spool_folder(context, "main"), f"{SECOND}.tar").read_bytes()
    assert tar.count(b'"doc_id":"c"') == 1


def test_what_is_spooled_is_skipped_in_its_wave_alone(context: RunContext, decided: Decided) -> None:
    whole, part = wave_of(decided, range(3), "v1"), wave_of(decided, range(2), "v1")
    assert not spool_partition(context, whole, 0, FIRST).skipped
    assert spool_partition(context, whole, 0, FIRST).skipped
    assert not spool_partition(context, part, 0, FIRST).skipped
    assert not spool_partition(context, wave_of(decided, range(2), "v2"), 0, FIRST).skipped


@pytest.mark.parametrize("damage", ["gone", "cut", "no note"])
def test_a_spool_that_is_not_whole_is_written_again(context: RunContext, decided: Decided, damage: str) -> None:
    wave = spool_all(context, decided)
    tar = Path(spool_folder(context, "main"), f"{FIRST}.tar")
    whole = tar.read_bytes()
    if damage == "no note":
        tar.with_suffix(".parquet").unlink()
    else:
        tar.unlink()
    if damage == "cut":
        tar.write_bytes(whole[:512])
    assert not spool_partition(context, wave, 0, FIRST).skipped
    assert tar.read_bytes() == whole


def test_a_partition_that_was_not_spooled_is_named(context: RunContext, decided: Decided) -> None:
    wave = wave_of(decided, range(3), "v1")
    spool_partition(context, wave, 0, FIRST)
    with pytest.raises(CurateError, match=SECOND):
        list(gather(context, wave, 0, TAKEN[0]))


def test_few_bytes_are_held_at_a_time(context: RunContext, decided: Decided, monkeypatch: pytest.MonkeyPatch) -> None:
    wave = spool_all(context, decided)
    sizes: list[int] = []
    whole = ShardReader.read_many

    def read_many(self: ShardReader, rows: list[dict[str, object]]) -> object:
        sizes.append(len(rows))
        return whole(self, rows)

    monkeypatch.setattr(spool, "GATHER_BYTES", 1)
    monkeypatch.setattr(ShardReader, "read_many", read_many)
    assert len(list(gather(context, wave, 1, TAKEN[1]))) == 2
    assert sizes == [1, 1]


def test_a_partition_is_read_in_parts_of_few_bytes(
    context: RunContext, decided: Decided, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool_all(context, decided)
    tar = Path(spool_folder(context, "main"), f"{FIRST}.tar")
    whole, asked = tar.read_bytes(), list[list[str]]()

    def load(*options: Any) -> object:
        asked.append(options[-1])
        return load_samples(*options)

    remove_spool(context, "main")
    monkeypatch.setattr(spool, "GATHER_BYTES", 1)
    monkeypatch.setattr(spool, "load_samples", load)
    spool_all(context, decided)
    assert asked[:2] == [["b"], ["a"]]
    assert tar.read_bytes() == whole


def test_nothing_is_left(context: RunContext, decided: Decided) -> None:
    spool_all(context, decided)
    remove_spool(context, "main")
    remove_spool(context, "main")
    assert not Path(spool_folder(context, "main")).parent.exists()
