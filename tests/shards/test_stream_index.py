from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.contract.errors import ShardError
from shards.reader import read_index
from shards.stream_index import stream_index
from tests.train_bridge.conftest import make_sample, write_set


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return write_set(tmp_path / "set", [make_sample(number) for number in range(11)])


@pytest.mark.parametrize("row_group_size", [1, 3, 4, 100])
def test_pieces_are_the_same_however_the_file_is_divided(folder: str, row_group_size: int) -> None:
    whole = read_index(folder)
    pq.write_table(whole, f"{folder}/index.parquet", row_group_size=row_group_size)
    pieces = list(stream_index(folder, num_rows=4))
    assert [piece.num_rows for piece in pieces] == [4, 4, 3]
    assert all(len(piece.to_batches()) == 1 for piece in pieces)
    assert pa.concat_tables(pieces).equals(whole)


@pytest.mark.parametrize("row_group_size", [1, 3, 4, 100])
@pytest.mark.parametrize("first_row", [0, 3, 4, 5, 10, 11])
def test_pieces_may_begin_at_any_row(folder: str, row_group_size: int, first_row: int) -> None:
    whole = read_index(folder)
    pq.write_table(whole, f"{folder}/index.parquet", row_group_size=row_group_size)
    pieces = list(stream_index(folder, num_rows=4, first_row=first_row))
    assert all(piece.num_rows == 4 for piece in pieces[:-1])
    assert pa.concat_tables([whole.slice(0, 0), *pieces]).equals(whole.slice(first_row))


def test_row_groups_before_the_first_row_are_not_read(folder: str) -> None:
    path = Path(folder, "index.parquet")
    pq.write_table(read_index(folder), path, row_group_size=4)
    data = bytearray(path.read_bytes())
    end = pq.read_metadata(path).row_group(1).column(0).data_page_offset
    data[4 : end // 2] = bytes(end // 2 - 4)
    path.write_bytes(data)
    with pytest.raises(ShardError, match="not a readable shard index"):
        next(stream_index(folder, num_rows=4))
    assert next(stream_index(folder, num_rows=4, first_row=8)).num_rows == 3


def test_an_empty_index_has_no_pieces(folder: str) -> None:
    pq.write_table(read_index(folder).slice(0, 0), f"{folder}/index.parquet")
    assert list(stream_index(folder, num_rows=4)) == []


def test_what_is_no_index(folder: str, tmp_path: Path) -> None:
    with pytest.raises(ShardError, match=r"no index\.parquet here"):
        next(stream_index(str(tmp_path), num_rows=4))
    pq.write_table(read_index(folder).drop_columns(["shard"]), f"{folder}/index.parquet")
    with pytest.raises(ShardError, match="not a readable shard index"):
        next(stream_index(folder, num_rows=4))
    Path(folder, "index.parquet").write_bytes(b"PAR1")
    with pytest.raises(ShardError, match="not a readable shard index"):
        next(stream_index(folder, num_rows=4))
