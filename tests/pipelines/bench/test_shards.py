import tarfile
from pathlib import Path

import pytest

from curate.contract.errors import ShardError
from pipelines.bench.shards import IMAGE_BYTES, NUM_SAMPLES, _count_samples, _sample, _write_bare, _write_ours
from shards.sample import SampleImage


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {member.name: file.read() for member in tar if (file := tar.extractfile(member)) is not None}


def test_both_write_the_same_parts(tmp_path: Path) -> None:
    samples = [_sample(number) for number in range(3)]
    ours, bare = tmp_path / "00000.tar", tmp_path / "bare.tar"
    assert _write_ours(tmp_path, 0, samples) == ours.stat().st_size
    assert _write_bare(bare, samples) == bare.stat().st_size
    assert members(ours) == members(bare)
    assert len(members(ours)) == 6


def test_samples_differ_and_are_the_same_every_time() -> None:
    first, second = _sample(1).items[0], _sample(2).items[0]
    assert isinstance(first, SampleImage)
    assert first == _sample(1).items[0] != second
    assert len(first.data) == IMAGE_BYTES


def test_a_reader_that_leaves_something_out_does_not_count() -> None:
    assert _count_samples(NUM_SAMPLES * IMAGE_BYTES) == NUM_SAMPLES
    with pytest.raises(ShardError, match="were read"):
        _count_samples(NUM_SAMPLES * IMAGE_BYTES - 1)
