from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from shards.reader import read_index
from tests.train_bridge.conftest import make_sample, write_set
from train_bridge.data import index_summary
from train_bridge.data.index_summary import ShardSpan, summarise_index


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return write_set(tmp_path / "set", [make_sample(number) for number in range(11)])


def write_spans(folder: str, names: list[str]) -> pa.Table:
    index = read_index(folder)
    index = index.set_column(1, index.schema.field("shard"), pa.array(names))
    pq.write_table(index, f"{folder}/index.parquet")
    return index


@pytest.mark.parametrize("block_rows", [1, 4, 100])
def test_spans_are_where_another_shard_begins(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_rows: int
) -> None:
    monkeypatch.setattr(index_summary, "BLOCK_ROWS", block_rows)
    index = write_spans(folder, ["a"] * 3 + ["b"] * 7 + ["a"])
    found = summarise_index(folder, cache_dir=str(tmp_path))
    ends = pc.add(index["offset"], index["num_bytes"]).to_pylist()
    assert found.num_rows == 11
    assert found.shards == (
        ShardSpan(name="a", first_row=0, end_bytes=ends[2]),
        ShardSpan(name="b", first_row=3, end_bytes=ends[9]),
        ShardSpan(name="a", first_row=10, end_bytes=ends[10]),
    )
    assert list(found.probes) == index.take([0, 3, 10]).to_pylist()


def test_of_many_shards_some_are_probed_spread_over_the_set(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_summary, "NUM_PROBES", 2)
    write_spans(folder, [f"{number:02}" for number in range(11)])
    probed = [row["shard"] for row in summarise_index(folder, cache_dir=str(tmp_path)).probes]
    assert probed == ["00", "04", "08"]


def test_an_index_is_read_again_only_when_it_is_another(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = summarise_index(folder, cache_dir=str(tmp_path))
    with monkeypatch.context() as patched:
        patched.setattr(index_summary, "stream_index", None)
        assert summarise_index(folder, cache_dir=str(tmp_path)) == first
    write_spans(folder, ["a"] * 11)
    assert summarise_index(folder, cache_dir=str(tmp_path)).sha256 != first.sha256


def test_two_sets_of_one_size_and_time_are_told_apart(folder: str, tmp_path: Path) -> None:
    index = Path(folder, "index.parquet")
    other = tmp_path / "other" / "index.parquet"
    other.parent.mkdir()
    write_spans(folder, ["a"] * 11)
    other.write_bytes(index.read_bytes())
    write_spans(folder, ["b"] * 11)
    assert index.stat().st_size == other.stat().st_size
    info = {"size": 1, "LastModified": "2026-11-29 00:00:00", "name": "index.parquet"}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(fsspec.filesystem("file")), "info", lambda *_args, **_kwargs: dict(info))
        found = [summarise_index(str(path.parent), cache_dir=str(tmp_path)) for path in (index, other)]
    assert [summary.shards[0].name for summary in found] == ["b", "a"]


def test_a_summary_of_another_version_is_made_again(folder: str, tmp_path: Path) -> None:
    first = summarise_index(folder, cache_dir=str(tmp_path))
    (path,) = tmp_path.glob("index-*.json")
    path.write_bytes(b"{}")
    assert summarise_index(folder, cache_dir=str(tmp_path)) == first


def test_nothing_is_kept_of_storage_that_tells_no_times(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = fsspec.filesystem("memory")
    system.pipe_file("memory://told-no-times/index.parquet", Path(folder, "index.parquet").read_bytes())
    known = summarise_index("memory://told-no-times", cache_dir=str(tmp_path))
    assert len(list(tmp_path.glob("index-*.json"))) == 1
    monkeypatch.setattr(type(system), "info", lambda *_args, **_kwargs: {"size": 1, "name": "index.parquet"})
    assert summarise_index("memory://told-no-times", cache_dir=str(tmp_path / "other")) == known
    assert not (tmp_path / "other").exists()
