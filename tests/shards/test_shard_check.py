import pickle
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shards import shard_check
from shards.index_layout import read_layout
from shards.manifest import read_manifest
from shards.reader import read_index
from shards.shard_check import ShardJob, ShardReport, UnreadShard, check_shard, first_faults
from shards.verify import verify_shards


def job_of(folder: Path, name: str) -> ShardJob:
    layout = read_layout(str(folder))
    said = {shard.name: shard for shard in read_manifest(str(folder)).shards}
    return ShardJob(name=name, said=said.get(name), groups=layout.groups[name], token=layout.token)


def test_a_report_of_a_sound_shard_is_small_whatever_is_in_it(shard_set: Path) -> None:
    report = check_shard(job_of(shard_set, "00000.tar"), folder=str(shard_set), deep=True)
    assert isinstance(report, ShardReport)
    assert (report.num_samples, report.faults, report.index_faults) == (4, (), ())
    assert not report.has_wrong_offsets
    assert len(pickle.dumps(report)) < 800


def test_a_shard_that_cannot_be_read_is_said_to_be_so(shard_set: Path) -> None:
    job = job_of(shard_set, "00000.tar")
    (shard_set / "00000.tar").unlink()
    (shard_set / "00000.tar").mkdir()
    found = check_shard(job, folder=str(shard_set), deep=False)
    assert isinstance(found, UnreadShard)
    assert found.fault.startswith("00000.tar: cannot be read (")


def test_faults_of_one_shard_beyond_a_limit_are_counted(shard_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_check, "MAX_FAULTS", 3)
    rows = read_index(str(shard_set)).to_pylist()
    index = pa.Table.from_pylist([{**row, "num_words": 99} for row in rows], schema=read_index(str(shard_set)).schema)
    pq.write_table(index, shard_set / "index.parquet")
    assert verify_shards(str(shard_set)) == [
        *(f"0000{n // 4}.tar, sample 0000{n // 4}00000{n % 4}: index.parquet differs from the tar in num_words"
          for n in (0, 1, 2)),
        "00000.tar: and 1 more faults like these",
        *(f"0000{n // 4}.tar, sample 0000{n // 4}00000{n % 4}: index.parquet differs from the tar in num_words"
          for n in (4, 5, 6)),
        "00001.tar: and 1 more faults like these",
    ]  # fmt: skip
    assert first_faults("x", ["a"], num_faults=5) == ["a", "x: and 4 more faults like these"]
    assert first_faults("x", ["a"]) == ["a"]
