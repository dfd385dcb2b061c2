import json
import pickle
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shards.reader import read_index
from shards.verify import verify_shards


def flip(path: Path, offset: int, mask: int = 1) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= mask
    path.write_bytes(data)


def test_a_sound_set_has_no_faults(shard_set: Path) -> None:
    assert verify_shards(str(shard_set), deep=True) == []


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_any_altered_byte_is_reported_with_its_shard(shard_set: Path, part: float, mask: int) -> None:
    path = shard_set / "00001.tar"
    offset = int(part * path.stat().st_size)
    flip(path, offset, mask)
    faults = verify_shards(str(shard_set))
    flip(path, offset, mask)
    assert any(fault.startswith("00001.tar: sha256 is") for fault in faults)
    assert not any(fault.startswith("00000.tar") for fault in faults)


def test_an_altered_image_is_named_to_the_part(shard_set: Path) -> None:
    row = read_index(str(shard_set)).to_pylist()[2]
    flip(shard_set / "00000.tar", row["parts"][4]["offset"] + 30)
    faults = verify_shards(str(shard_set))
    assert "00000.tar, sample 00000000002: 3.jpg is not the image that was stored (sha256 differs)" in faults
    assert len(faults) == 2


def test_every_fault_is_reported_not_the_first_only(shard_set: Path) -> None:
    flip(shard_set / "00000.tar", 600)
    (shard_set / "00001.tar").unlink()
    (shard_set / "00009.tar").write_bytes(b"")
    (shard_set / "README.md").unlink()
    (shard_set / "00000.tar.idx").unlink()
    faults = "\n".join(verify_shards(str(shard_set)))
    for expected in (
        "00000.tar: sha256 is",
        "00000.tar, sample 00000000000: ",
        "00001.tar: missing",
        "00009.tar: not in the manifest",
        "00009.tar: broken tar",
        "index.parquet: has samples of 00001.tar, which is not there",
        "README.md: missing",
        "00000.tar.idx: missing",
    ):
        assert expected in faults


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("manifest.json", "manifest.json is missing"),
        ("index.parquet", "no index.parquet here"),
        (".nv-meta/split.yaml", ".nv-meta/split.yaml: missing"),
        (".nv-meta/.info.json", ".nv-meta/.info.json: missing"),
        ("wids.json", "wids.json: missing"),
        ("croissant.json", "croissant.json: missing"),
    ],
)
def test_a_missing_file_is_the_only_fault(shard_set: Path, name: str, message: str) -> None:
    (shard_set / name).unlink()
    faults = verify_shards(str(shard_set))
    assert len(faults) == 1
    assert message in faults[0]


def test_wrong_offsets_in_the_index_are_named_by_sample(shard_set: Path) -> None:
    rows = read_index(str(shard_set)).to_pylist()
    rows[5]["offset"] += 512
    rows[6]["num_words"] += 1
    write_index(shard_set, rows)
    assert verify_shards(str(shard_set)) == [
        "00001.tar, sample 00001000001: index.parquet differs from the tar in offset",
        "00001.tar, sample 00001000002: index.parquet differs from the tar in num_words",
    ]


def test_rows_that_are_missing_too_many_or_turned_are_named(shard_set: Path) -> None:
    rows = read_index(str(shard_set)).to_pylist()
    write_index(shard_set, [rows[1], rows[0], *rows[2:5], *rows[6:], {**rows[7], "key": "00001999999"}])
    assert verify_shards(str(shard_set)) == [
        "00000.tar: index.parquet lists its samples in another order or more than once",
        "00001.tar, sample 00001000001: not in index.parquet",
        "00001.tar, sample 00001999999: in index.parquet but not in the tar",
    ]


def test_an_empty_index_misses_every_sample(shard_set: Path) -> None:
    write_index(shard_set, [])
    faults = verify_shards(str(shard_set))
    assert faults[0] == "index.parquet: 0 rows, the manifest says 8 samples"
    assert sum(fault.endswith("not in index.parquet") for fault in faults) == 8


def test_keys_that_occur_twice_are_named(shard_set: Path) -> None:
    shutil.copy(shard_set / "00000.tar", shard_set / "00001.tar")
    faults = verify_shards(str(shard_set))
    assert "00001.tar, sample 00000000003: the key occurs 2 times in the set" in faults


def test_faults_come_in_one_order_whatever_the_order_in_which_shards_are_read(
    write_set: Callable[..., Path], tmp_path: Path
) -> None:
    folder = write_set(tmp_path / "set", num_shards=4)
    flip(folder / "00002.tar", 600)
    flip(folder / "00001.tar", 600)
    (folder / "00003.tar").write_bytes((folder / "00000.tar").read_bytes())
    rows = read_index(str(folder)).to_pylist()
    rows[5]["num_words"] += 1
    write_index(folder, rows)
    (folder / "00001.tar.idx").unlink()
    phases: list[str] = []

    def backwards(call: Callable[[Any], Any], jobs: Mapping[str, Any], *, phase: str) -> Iterator[Any]:
        phases.append(phase)
        return (call(pickle.loads(pickle.dumps(job))) for job in reversed(list(jobs.values())))  # noqa: S301 - our own

    faults = verify_shards(str(folder))
    assert verify_shards(str(folder), map_tasks=backwards) == faults
    assert phases == ["verify set", "keys that occur twice"]
    names = [fault[:9] for fault in faults if fault.startswith("0000")]
    first = ["00001.tar"] * names.count("00001.tar")
    assert names.index("00001.tar") < names.index("00002.tar") < names.index("00003.tar")
    assert len(first) >= 3
    assert sum("occurs 2 times" in fault for fault in faults) == 8


def test_an_index_whose_rows_cannot_be_read_is_one_fault(shard_set: Path) -> None:
    path = shard_set / "index.parquet"
    column = pq.read_metadata(path).row_group(1).column(pq.read_schema(path).get_field_index("doc_id") + 2)
    assert column.path_in_schema == "doc_id"
    for place in range(8):
        flip(path, column.dictionary_page_offset + place, 0xFF)
    (fault,) = verify_shards(str(shard_set))
    assert "index.parquet: not a readable shard index (" in fault


def test_a_manifest_that_does_not_add_up_is_a_fault(shard_set: Path) -> None:
    path = shard_set / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["shards"][0]["num_images"] += 1
    manifest["blend"] = {"samples": 7}
    path.write_text(json.dumps(manifest))
    assert verify_shards(str(shard_set)) == [
        "00000.tar: num_images is 13, the manifest says 14",
        "manifest.json: totals do not add up to the shards",
        "manifest.json: the blend has 7 samples, the shards 8",
    ]


def test_a_folder_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    faults = verify_shards(str(tmp_path / "absent"))
    assert any("cannot be listed" in fault for fault in faults)


def test_a_shard_that_was_cut_off_is_one_story(shard_set: Path) -> None:
    path = shard_set / "00001.tar"
    path.write_bytes(path.read_bytes()[:2000])
    faults = verify_shards(str(shard_set))
    assert any(fault.startswith("00001.tar: broken tar after") for fault in faults)
    assert all(
        fault.startswith(("00001.tar:", "00001.tar, sample", ".nv-meta/.info.json", "wids.json")) for fault in faults
    )


def write_index(folder: Path, rows: list[dict[str, object]]) -> None:
    schema = read_index(str(folder)).schema
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "index.parquet")
