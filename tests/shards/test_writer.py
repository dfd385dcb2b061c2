import hashlib
import pickle
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
import webdataset

from curate.contract.errors import ShardError
from curate.contract.schemas import SHARD_INDEX
from shards.sample import encode_sample
from shards.writer import sample_key, shard_name, write_shard
from tests.shards.conftest import MakeSample


def test_keys_are_digits_of_shard_and_sample() -> None:
    assert sample_key(3, 17) == "00003000017"
    assert shard_name(3) == "00003.tar"


@pytest.mark.parametrize(("shard", "sequence"), [(100_000, 0), (0, 1_000_000), (-1, 0), (0, -1)])
def test_a_key_never_grows(shard: int, sequence: int) -> None:
    with pytest.raises(ShardError, match="keys have room"):
        sample_key(shard, sequence)


def test_the_index_says_where_tarfile_finds_each_part(tmp_path: Path, make_sample: MakeSample) -> None:
    path = tmp_path / "00000.tar"
    samples = [make_sample(number, num_images=number % 13) for number in range(15)]
    result = write_shard(str(path), samples, shard=0)
    with tarfile.open(path) as tar:
        found = [(member.name, member.offset_data, member.size) for member in tar]
        first = tar.getmembers()[0]
    rows = result.index.to_pylist()
    assert [
        (f"{row['key']}.{part['name']}", part["offset"], part["num_bytes"]) for row in rows for part in row["parts"]
    ] == found
    assert [row["offset"] for row in rows[1:]] == [row["offset"] + row["num_bytes"] for row in rows[:-1]]
    assert (first.mtime, first.uid, first.gid, first.mode) == (0, 0, 0, 0o644)
    assert result.index.schema.equals(SHARD_INDEX)


def test_the_result_describes_the_file(tmp_path: Path, make_sample: MakeSample) -> None:
    path = tmp_path / "00007.tar"
    result = write_shard(str(path), [make_sample(0), make_sample(1)], shard=7)
    assert result.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (result.name, result.num_samples, result.num_images) == ("00007.tar", 2, 4)
    assert result.num_bytes == path.stat().st_size
    assert pickle.loads(pickle.dumps(result)) == result  # noqa: S301 - our own bytes


def test_equal_samples_are_equal_bytes_wherever_they_are_written(tmp_path: Path, make_sample: MakeSample) -> None:
    one = write_shard(str(tmp_path / "a" / "00000.tar"), [make_sample(0)], shard=0)
    two = write_shard("memory://writer-test/00000.tar", iter([make_sample(0)]), shard=0)
    assert one.sha256 == two.sha256


def test_it_is_the_tar_that_webdataset_would_write(tmp_path: Path, make_sample: MakeSample) -> None:
    samples = [make_sample(number, num_images=number) for number in (0, 3, 12)]
    write_shard(str(tmp_path / "00000.tar"), samples, shard=0)
    owner = "vila-curate"
    with (
        (tmp_path / "peer.tar").open("wb") as file,
        webdataset.TarWriter(file, user=owner, group=owner, mode=0o644, mtime=0, encoder=False) as tar,
    ):
        for sequence, sample in enumerate(samples):
            for part, data in encode_sample(sample):  # one at a time: it would sort 10.jpg before 2.jpg
                tar.write({"__key__": sample_key(0, sequence), part: data})
    assert (tmp_path / "00000.tar").read_bytes() == (tmp_path / "peer.tar").read_bytes()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # webdataset leaves the file to the GC
def test_webdataset_reads_it(tmp_path: Path, make_sample: MakeSample) -> None:
    path = tmp_path / "00000.tar"
    write_shard(str(path), [make_sample(0, num_images=11), make_sample(1, num_images=0)], shard=0)
    samples = list(webdataset.WebDataset(str(path), shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == ["00000000000", "00000000001"]
    assert [sum(name.endswith("jpg") for name in sample) for sample in samples] == [11, 0]


def test_a_sample_that_cannot_be_encoded_leaves_no_file(tmp_path: Path, make_sample: MakeSample) -> None:
    bad = replace(make_sample(1), meta={"x": object()})
    with pytest.raises(ShardError, match="document 0000000000000001"):
        write_shard(str(tmp_path / "00000.tar"), [make_sample(0), bad], shard=0)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_shard_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="at least one sample"):
        write_shard(str(tmp_path / "00000.tar"), [], shard=0)
    assert list(tmp_path.iterdir()) == []
