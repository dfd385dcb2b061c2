from pathlib import Path
from shutil import copytree

import pytest

from curate.contract.errors import ShardError
from tests.train_bridge.conftest import make_sample, write_set
from train_bridge.data.index_summary import summarise_index
from train_bridge.data.shard_files import check_shard_files


@pytest.fixture
def copy(shard_folder: str, tmp_path: Path) -> Path:
    return Path(copytree(shard_folder, tmp_path / "copy"))


def check(folder: Path) -> None:
    check_shard_files(str(folder), summarise_index(str(folder), cache_dir=f"{folder}/cache"))


def test_a_whole_set_passes(copy: Path) -> None:
    check(copy)


def test_a_missing_shard(copy: Path) -> None:
    (copy / "00000.tar").unlink()
    with pytest.raises(ShardError, match=r"copy: index\.parquet lists 00000\.tar, which is not there"):
        check(copy)


def test_a_shard_that_is_cut_off(copy: Path) -> None:
    data = (copy / "00000.tar").read_bytes()
    (copy / "00000.tar").write_bytes(data[: len(data) // 2])
    with pytest.raises(ShardError, match=rf"wants [\d,]+ bytes of 00000\.tar, which has {len(data) // 2:,}"):
        check(copy)


def test_the_index_of_another_set(copy: Path, tmp_path: Path) -> None:
    other = write_set(tmp_path / "other", [make_sample(number + 1) for number in range(40)])
    (copy / "index.parquet").write_bytes(Path(other, "index.parquet").read_bytes())
    with pytest.raises(ShardError, match=r"index\.parquet and the shards do not belong together: 00000\.tar, sample"):
        check(copy)


def test_no_index(copy: Path) -> None:
    (copy / "index.parquet").unlink()
    with pytest.raises(ShardError, match=r"no index\.parquet here"):
        check(copy)
