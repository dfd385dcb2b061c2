import json
import pickle
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from curate.contract.errors import ShardError
from shards.reader import read_index
from shards.repair import repair_shard_set
from shards.verify import verify_shards


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_sound_set_is_left_as_it_is(shard_set: Path) -> None:
    before = contents(shard_set)
    assert repair_shard_set(str(shard_set)) == []
    assert contents(shard_set) == before


@pytest.mark.parametrize(
    "name",
    ["index.parquet", "00001.tar.idx", ".nv-meta/.info.json", ".nv-meta/split.yaml", "wids.json", "croissant.json"],
)
@pytest.mark.parametrize("damage", ["gone", "altered"])
def test_what_follows_from_the_tars_comes_back_byte_for_byte(shard_set: Path, name: str, damage: str) -> None:
    before, path = contents(shard_set), shard_set / name
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(b"{}")
    assert verify_shards(str(shard_set)) != []
    assert repair_shard_set(str(shard_set)) == [f"{name}: rebuilt from the tars"]
    assert contents(shard_set) == before
    assert verify_shards(str(shard_set)) == []


def test_wrong_counts_of_the_manifest_are_put_right_and_the_rest_of_it_stays(shard_set: Path) -> None:
    path = shard_set / "manifest.json"
    before = path.read_bytes()
    manifest = json.loads(before)
    manifest["shards"] = manifest["shards"][:1]
    manifest["totals"]["num_images"] += 7
    path.write_text(json.dumps(manifest))
    assert repair_shard_set(str(shard_set)) == ["manifest.json: rebuilt from the tars"]
    assert path.read_bytes() == before


def test_a_set_without_one_of_its_shards_becomes_a_smaller_one(shard_set: Path, write_set: Callable[..., Path]) -> None:
    (shard_set / "00001.tar").unlink()
    (shard_set / "00001.tar.idx").unlink()
    repair_shard_set(str(shard_set))
    assert verify_shards(str(shard_set)) == []
    smaller = write_set(shard_set.parent / "smaller", num_shards=1)
    assert (shard_set / "index.parquet").read_bytes() == (smaller / "index.parquet").read_bytes()


def test_a_damaged_tar_is_not_made_to_look_whole(shard_set: Path) -> None:
    path = shard_set / "00000.tar"
    data = bytearray(path.read_bytes())
    data[600] ^= 1
    path.write_bytes(data)
    before = contents(shard_set)
    with pytest.raises(ShardError, match=r"(?s)00000.tar, sample 00000000000: .*nothing was rebuilt"):
        repair_shard_set(str(shard_set))
    assert contents(shard_set) == before


def test_a_sound_tar_that_is_not_what_was_written_is_not_made_to_look_so(shard_set: Path) -> None:
    path, row = shard_set / "00000.tar", read_index(str(shard_set)).to_pylist()[0]
    data = bytearray(path.read_bytes())
    place = data.index(b'"text":"', row["offset"]) + len(b'"text":"')
    data[place : place + 1] = b"#"
    path.write_bytes(data)
    before = contents(shard_set)
    with pytest.raises(ShardError, match=r"00000.tar: sha256 is .*it was altered\nnothing was rebuilt"):
        repair_shard_set(str(shard_set))
    assert contents(shard_set) == before


def test_rows_wait_in_files_and_are_taken_one_shard_at_a_time(shard_set: Path) -> None:
    waiting: list[list[str]] = []

    def look(call: Callable[[Any], Any], jobs: Mapping[str, Any], *, phase: str) -> Iterator[Any]:
        for job in jobs.values():
            found = call(job)
            assert len(pickle.dumps(found)) < 1000
            waiting.append(sorted(path.name for path in (shard_set / ".repair").iterdir()))
            yield found
        assert phase == "read the tars"

    (shard_set / "index.parquet").unlink()
    repair_shard_set(str(shard_set), map_tasks=look)
    assert waiting == [["00000.tar.parquet"], ["00000.tar.parquet", "00001.tar.parquet"]]
    assert not (shard_set / ".repair").exists()


def test_a_key_that_occurs_twice_is_damage(shard_set: Path) -> None:
    (shard_set / "00001.tar").write_bytes((shard_set / "00000.tar").read_bytes())
    with pytest.raises(ShardError, match="a key occurs more than once"):
        repair_shard_set(str(shard_set))


def test_without_a_manifest_or_tars_there_is_nothing_to_go_by(shard_set: Path, tmp_path: Path) -> None:
    for path in shard_set.glob("*.tar"):
        path.unlink()
    with pytest.raises(ShardError, match="no tars here"):
        repair_shard_set(str(shard_set))
    with pytest.raises(ShardError, match=r"manifest.json is missing"):
        repair_shard_set(str(tmp_path))
