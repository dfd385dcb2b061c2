from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from shards.places import SamplePlaces
from shards.reader import ShardReader, read_index

COLUMNS = ["key", "shard", "doc_id", "offset", "num_bytes", "parts"]


def rows_of(table: pa.Table) -> list[dict[str, object]]:
    places = SamplePlaces(table)
    return [places.row(number) for number in range(table.num_rows)]


def test_rows_are_those_of_the_index(write_set: Callable[..., Path], tmp_path: Path) -> None:
    index = read_index(str(write_set(tmp_path / "set", num_shards=3)))
    assert rows_of(index) == index.select(COLUMNS).to_pylist()


def test_chunks_slices_and_mapped_files(shard_set: Path, tmp_path: Path) -> None:
    index = read_index(str(shard_set))
    wanted = index.select(COLUMNS).to_pylist()
    pieces = pa.concat_tables([index.slice(3, 4), index.slice(0, 0), index.slice(1, 1)])
    assert rows_of(pieces) == [*wanted[3:7], wanted[1]]
    with pa.OSFile(str(tmp_path / "file"), "wb") as file, pa.ipc.new_file(file, index.schema) as writer:
        writer.write_table(index, max_chunksize=3)
    assert rows_of(pa.ipc.open_file(pa.memory_map(str(tmp_path / "file"))).read_all()) == wanted


def test_a_reader_takes_them(shard_set: Path) -> None:
    places = SamplePlaces(read_index(str(shard_set)))
    with ShardReader(str(shard_set)) as reader:
        assert len(reader.read(places.row(2), check_images=True).images) == 12
