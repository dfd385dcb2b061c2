from pathlib import Path

import pytest

from curate.contract.errors import ShardError
from shards.results import load_result, save_result
from shards.storage import remove_file
from shards.writer import write_shard
from tests.shards.conftest import MakeSample


def test_a_result_comes_back_as_it_was(tmp_path: Path, make_sample: MakeSample) -> None:
    result = write_shard(str(tmp_path / "00003.tar"), [make_sample(0), make_sample(1)], shard=3)
    save_result(str(tmp_path / "00003.parquet"), result, made_from="v1")
    assert load_result(str(tmp_path / "00003.parquet"), made_from="v1") == result
    with pytest.raises(ShardError, match="made from something else"):
        load_result(str(tmp_path / "00003.parquet"), made_from="v2")


def test_a_result_is_forgotten_once_and_again(tmp_path: Path, make_sample: MakeSample) -> None:
    path = tmp_path / "note.parquet"
    save_result(str(path), write_shard(str(tmp_path / "00000.tar"), [make_sample(0)], shard=0), made_from="v1")
    remove_file(str(path))
    remove_file(str(path))
    assert not path.exists()


def test_what_is_no_result_is_an_error(tmp_path: Path, shard_set: Path) -> None:
    (tmp_path / "text").write_text("no parquet")
    for path in (tmp_path / "absent", tmp_path / "text", shard_set / "index.parquet"):
        with pytest.raises(ShardError, match="not the result of a written shard"):
            load_result(str(path), made_from="v1")
