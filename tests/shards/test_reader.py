import pickle
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import pytest

from curate.contract.errors import ShardError
from shards.reader import INDEX_NAME, ShardReader, read_index, read_json_part, read_sample
from shards.sample import sample_images, sample_record
from tests.shards.conftest import MakeSample


def test_samples_come_back_as_they_were_written(shard_set: Path, make_sample: MakeSample) -> None:
    rows = read_index(str(shard_set)).to_pylist()
    stored = read_sample(str(shard_set), rows[2], check_images=True)
    sample = make_sample(2, num_images=12)
    assert stored.key == "00000000002"
    assert stored.record == sample_record(sample)
    assert stored.images == sample_images(sample)


def test_a_remote_set_is_read_by_range(shard_set: Path) -> None:
    fsspec.filesystem("memory").put(str(shard_set), "/reader-test", recursive=True)
    rows = read_index("memory://reader-test").to_pylist()
    assert [read_sample("memory://reader-test", row) for row in rows] == [
        read_sample(str(shard_set), row) for row in rows
    ]


@pytest.mark.parametrize("place", ["local", "remote"])
def test_many_samples_come_in_the_order_asked_for(shard_set: Path, place: str) -> None:
    folder = str(shard_set)
    if place == "remote":
        fsspec.filesystem("memory").put(folder, "/reader-many", recursive=True)
        folder = "memory://reader-many"
    rows = read_index(folder).to_pylist()
    wanted = [rows[place] for place in (3, 0, len(rows) - 1, 3, 1)]
    with ShardReader(folder) as reader:
        assert reader.read_many(wanted) == [reader.read(row) for row in wanted]
        assert reader.read_many([]) == []


@pytest.mark.parametrize("folder", ["memory://reader-none", None])
def test_one_of_many_that_cannot_be_read_is_named(shard_set: Path, folder: str | None) -> None:
    rows = read_index(str(shard_set)).to_pylist()
    (shard_set / "00001.tar").unlink()
    with ShardReader(folder or str(shard_set)) as reader, pytest.raises(ShardError, match=r"sample 0000\d{7}: cannot"):
        reader.read_many(rows)


def test_one_reader_serves_threads_and_survives_pickling(shard_set: Path) -> None:
    rows = read_index(str(shard_set)).to_pylist() * 20
    with ShardReader(str(shard_set)) as reader, ThreadPoolExecutor(4) as pool:
        keys = [sample.key for sample in pool.map(reader.read, rows)]
        copy = pickle.loads(pickle.dumps(reader))  # noqa: S301 - our own bytes
    assert keys == [row["key"] for row in rows]
    with copy:
        assert copy.read(rows[0]).key == rows[0]["key"]


def test_a_folder_without_index_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match=r"no index.parquet here"):
        read_index(str(tmp_path))


def test_a_file_that_is_no_index_is_an_error(tmp_path: Path) -> None:
    (tmp_path / INDEX_NAME).write_bytes(b"PAR1 not really")
    with pytest.raises(ShardError, match="not a readable shard index"):
        read_index(str(tmp_path))


def test_a_missing_shard_is_named(shard_set: Path) -> None:
    row = read_index(str(shard_set)).to_pylist()[-1]
    (shard_set / "00001.tar").unlink()
    with pytest.raises(ShardError, match=r"00001.tar, sample 00001000003: cannot be read"):
        read_sample(str(shard_set), row)


def test_a_missing_remote_shard_is_named(shard_set: Path) -> None:
    row = read_index(str(shard_set)).to_pylist()[-1]
    with pytest.raises(ShardError, match=r"00001.tar, sample 00001000003: cannot be read"):
        read_sample("memory://reader-test-empty", row)


def test_a_shard_that_was_cut_off_is_named(shard_set: Path) -> None:
    row = read_index(str(shard_set)).to_pylist()[3]
    path = shard_set / "00000.tar"
    path.write_bytes(path.read_bytes()[: row["offset"] + 700])
    with pytest.raises(ShardError, match=r"00000.tar, sample 00000000003: .* the shard is cut off"):
        read_sample(str(shard_set), row)


def test_an_index_of_another_set_is_caught(shard_set: Path, tmp_path: Path, write_set: Callable[..., Path]) -> None:
    other = write_set(tmp_path / "other", num_samples=3)
    shutil.copy(shard_set / "00000.tar", other / "00001.tar")
    row = read_index(str(other)).to_pylist()[3]
    with pytest.raises(ShardError, match=r"00001000000.json is not where the index says"):
        read_sample(str(other), row)


def test_an_altered_image_is_caught_on_demand(shard_set: Path) -> None:
    row = read_index(str(shard_set)).to_pylist()[2]
    alter_byte(shard_set / "00000.tar", row["parts"][1]["offset"] + 20)
    assert len(read_sample(str(shard_set), row).images) == 12
    with pytest.raises(ShardError, match=r"sample 00000000002: 0.jpg is not the image that was stored"):
        read_sample(str(shard_set), row, check_images=True)


@pytest.mark.parametrize(("replacement", "message"), [(b"\xff", "does not parse"), (b"[", "does not parse")])
def test_altered_json_is_caught(shard_set: Path, replacement: bytes, message: str) -> None:
    row = read_index(str(shard_set)).to_pylist()[0]
    data = bytearray((shard_set / "00000.tar").read_bytes())
    data[row["parts"][0]["offset"]] = replacement[0]
    (shard_set / "00000.tar").write_bytes(data)
    with pytest.raises(ShardError, match=message):
        read_sample(str(shard_set), row)


def test_json_that_is_no_object_is_caught(shard_set: Path) -> None:
    row = read_index(str(shard_set)).to_pylist()[0]
    part = row["parts"][0]
    data = bytearray((shard_set / "00000.tar").read_bytes())
    data[part["offset"] : part["offset"] + part["num_bytes"]] = b"1".ljust(part["num_bytes"])
    (shard_set / "00000.tar").write_bytes(data)
    with pytest.raises(ShardError, match="its JSON is no object"):
        read_sample(str(shard_set), row)


def alter_byte(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def test_the_json_is_read_without_its_images(shard_set: Path) -> None:
    row = read_index(str(shard_set)).to_pylist()[2]
    with ShardReader(str(shard_set)) as reader:
        assert read_json_part(reader, row) == reader.read(row).record
