from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.contract.errors import ShardError
from shards import index_layout
from shards.index_layout import read_index_of, read_layout
from shards.reader import read_index


def test_a_shard_has_a_row_group_of_its_own(shard_set: Path) -> None:
    layout, index = read_layout(str(shard_set)), read_index(str(shard_set))
    assert (layout.num_rows, layout.max_images) == (8, 12)
    assert layout.groups == {"00000.tar": (0,), "00001.tar": (1,)}
    rows = read_index_of(str(shard_set), "00001.tar", layout.groups["00001.tar"], token=layout.token)
    assert rows.equals(index.slice(4))


@pytest.mark.parametrize("order", [range(8), [0, 4, 1, 5, 2, 6, 3, 7]])
@pytest.mark.parametrize("group_rows", [1, 3, 8])
@pytest.mark.parametrize("block_rows", [2, 100])
def test_an_index_that_another_tool_wrote_is_divided_as_it_may(
    shard_set: Path, order: Sequence[int], group_rows: int, block_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_layout, "BLOCK_ROWS", block_rows)
    index = read_index(str(shard_set)).take(list(order))
    pq.write_table(index, shard_set / "index.parquet", row_group_size=group_rows)
    layout = read_layout(str(shard_set))
    assert layout.num_rows == 8
    for name in ("00000.tar", "00001.tar"):
        own = read_index_of(str(shard_set), name, layout.groups[name], token=layout.token)
        assert own.equals(index.filter(pa.compute.equal(index["shard"], name)))


def test_a_shard_without_rows_and_an_index_without_any(shard_set: Path) -> None:
    layout = read_layout(str(shard_set))
    assert read_index_of(str(shard_set), "00002.tar", (), token=layout.token).num_rows == 0
    pq.write_table(read_index(str(shard_set)).slice(0, 0), shard_set / "index.parquet")
    assert (read_layout(str(shard_set)).num_rows, read_layout(str(shard_set)).groups) == (0, {})


def test_another_reading_takes_no_footer_of_an_older_file(shard_set: Path) -> None:
    before = read_layout(str(shard_set))
    read_index_of(str(shard_set), "00000.tar", before.groups["00000.tar"], token=before.token)
    pq.write_table(read_index(str(shard_set)).slice(2), shard_set / "index.parquet")
    after = read_layout(str(shard_set))
    rows = read_index_of(str(shard_set), "00000.tar", after.groups["00000.tar"], token=after.token)
    assert rows.num_rows == 2


def test_what_is_no_index_is_an_error_of_ours(shard_set: Path, tmp_path: Path) -> None:
    with pytest.raises(ShardError, match=r"no index\.parquet here"):
        read_layout(str(tmp_path))
    pq.write_table(pa.table({"key": ["a"]}), shard_set / "index.parquet")
    with pytest.raises(ShardError, match="not a readable shard index"):
        read_layout(str(shard_set))
    (shard_set / "index.parquet").write_bytes(b"PAR1PAR1")
    with pytest.raises(ShardError, match="not a readable shard index"):
        read_layout(str(shard_set))
