import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curate.contract.errors import ShardError
from shards.finish import finish_shard_set, start_shard_set
from shards.reader import read_index
from shards.verify import verify_shards
from shards.writer import shard_name, write_shard
from tests.shards.conftest import INFO, MakeSample


def hash_files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_finished_set_has_every_file(shard_set: Path) -> None:
    tars = ["00000.tar", "00000.tar.idx", "00001.tar", "00001.tar.idx"]
    meta = [".nv-meta/.info.json", ".nv-meta/dataset.yaml", ".nv-meta/split.yaml"]
    others = ["README.md", "croissant.json", "index.parquet", "manifest.json", "wids.json"]
    assert list(hash_files(shard_set)) == [*meta, *tars, *others]
    manifest = json.loads((shard_set / "manifest.json").read_text())
    assert manifest["totals"]["num_samples"] == 8
    assert manifest["shards"][1]["sha256"] == hash_files(shard_set)["00001.tar"]


def test_the_index_has_a_row_group_per_shard(shard_set: Path) -> None:
    file = pq.ParquetFile(shard_set / "index.parquet")
    assert [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)] == [4, 4]
    assert read_index(str(shard_set))["key"].to_pylist() == sorted(read_index(str(shard_set))["key"].to_pylist())


def test_the_order_of_results_does_not_matter(tmp_path: Path, make_sample: MakeSample) -> None:
    for name, turn in (("one", 1), ("two", -1)):
        folder = tmp_path / name
        shards = range(3)
        results = [write_shard(str(folder / shard_name(n)), [make_sample(n)], shard=n) for n in shards]
        finish_shard_set(str(folder), results[::turn], info=INFO)
    assert hash_files(tmp_path / "one") == hash_files(tmp_path / "two")


def test_a_run_with_fewer_shards_leaves_nothing_of_the_old(tmp_path: Path, write_set: Callable[..., Path]) -> None:
    folder = write_set(tmp_path / "set", num_shards=3)
    (folder / ".00001.tar.77.partial").write_bytes(b"left by a killed writer")
    below = folder / ".nv-meta" / "..info.json.77.partial"
    below.write_bytes(b"left by another")
    backup = folder / "backup" / "00002.tar"
    backup.parent.mkdir()
    backup.write_bytes(b"not of this set")
    (folder / "notes.tar").write_bytes(b"not ours")
    write_set(folder, num_shards=1)
    assert verify_shards(str(folder)) == []
    names = {path.name for path in folder.iterdir()}
    assert names >= {"notes.tar", "00000.tar", "00000.tar.idx"}
    assert not names & {"00001.tar", "00002.tar", "00001.tar.idx", ".00001.tar.77.partial"}
    assert not below.exists()
    assert backup.exists()


def test_starting_over_takes_the_manifest_away(shard_set: Path, tmp_path: Path) -> None:
    start_shard_set(str(shard_set))
    assert not (shard_set / "manifest.json").exists()
    start_shard_set(str(tmp_path / "new"))
    assert (tmp_path / "new").is_dir()


def test_a_remote_set_is_written_and_verified(make_sample: MakeSample) -> None:
    folder = "memory://finish-test/set"
    for num_shards in (2, 1):
        results = [write_shard(f"{folder}/{shard_name(n)}", [make_sample(n)], shard=n) for n in range(num_shards)]
        finish_shard_set(folder, results, info=INFO)
        assert verify_shards(folder, deep=True) == []


def test_no_shards_are_no_set(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="no shards were written"):
        finish_shard_set(str(tmp_path), [], info=INFO)


def test_two_results_of_one_name_are_refused(tmp_path: Path, make_sample: MakeSample) -> None:
    result = write_shard(str(tmp_path / "00000.tar"), [make_sample(0)], shard=0)
    with pytest.raises(ShardError, match=r"more than one result for 00000.tar"):
        finish_shard_set(str(tmp_path), [result, result], info=INFO)


def test_two_shards_of_one_number_are_refused(tmp_path: Path, make_sample: MakeSample) -> None:
    results = [write_shard(str(tmp_path / name), [make_sample(0)], shard=0) for name in ("00000.tar", "00001.tar")]
    with pytest.raises(ShardError, match="keys are not unique"):
        finish_shard_set(str(tmp_path), results, info=INFO)
