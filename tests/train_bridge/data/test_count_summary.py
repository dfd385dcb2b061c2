import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.train_bridge.conftest import make_sample, write_set
from train_bridge.data.count_summary import COUNTS, CountSummary, MappedCounts, counts_path
from train_bridge.data.lengths import count_lengths
from train_bridge.tokens.encoder import TextEncoder


@pytest.fixture
def lengths(encoder: TextEncoder, tmp_path: Path) -> pa.Table:
    shards = write_set(tmp_path / "set", [make_sample(number) for number in (1, 2, 0, 4, 3)])
    with pa.memory_map(count_lengths(shards, encoder=encoder, cache_dir=str(tmp_path / "cache"))) as file:
        return pa.ipc.open_file(file).read_all()


@pytest.mark.parametrize("block_rows", [1, 2, 5])
def test_columns_are_those_of_the_lengths_however_they_come(lengths: pa.Table, tmp_path: Path, block_rows: int) -> None:
    summary = CountSummary(lengths.num_rows, folder=tmp_path)
    for start in range(0, lengths.num_rows, block_rows):
        summary.add(lengths.slice(start, block_rows))
    assert summary.num_rows == 5
    summary.write(str(tmp_path / "counts.arrow"), shard_starts=[0, 3])
    found = MappedCounts(str(tmp_path / "counts.arrow"))
    assert list(found.columns) == COUNTS.names
    assert found.groups == [("captions", "pair"), ("chat", "text"), ("pages", "interleaved")]
    assert found.columns["group"].tolist() == [1, 2, 0, 1, 0]
    assert found.columns["num_ids"].tolist() == lengths["num_ids"].to_pylist()
    assert found.columns["num_images"].tolist() == [0, 2, 1, 0, 1]
    assert found.columns["usable"].tolist() == [1] * 5
    first = int.from_bytes(hashlib.sha256(lengths["doc_id"][0].as_py().encode()).digest()[:4], "big")
    assert found.columns["bucket"][0] == first
    assert found.shard_starts.tolist() == [0, 3]


def test_a_sample_takes_19_bytes_of_disk_and_none_of_memory(lengths: pa.Table, tmp_path: Path) -> None:
    summary = CountSummary(1000, folder=tmp_path)
    summary.add(lengths)
    assert sum(column.itemsize for column in summary._columns.values()) == 19
    assert all(isinstance(column, np.memmap) for column in summary._columns.values())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "set"]


def test_a_disk_without_room_is_an_error_and_no_signal(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"No space|too large"):
        CountSummary(1 << 58, folder=tmp_path)


def test_a_set_without_samples(tmp_path: Path) -> None:
    CountSummary(0, folder=tmp_path).write(str(tmp_path / "counts.arrow"), shard_starts=[])
    found = MappedCounts(str(tmp_path / "counts.arrow"))
    assert [len(column) for column in found.columns.values()] == [0] * 6
    assert found.groups == []


def test_the_summary_lies_beside_the_lengths() -> None:
    assert counts_path("/cache/lengths-0a.arrow") == "/cache/counts-0a.arrow"
