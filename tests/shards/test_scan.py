import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from curate.contract.ids import sha256_hex
from shards import scan, tar_stream
from shards.reader import read_index
from shards.sample import SampleImage, SampleText, encode_sample
from shards.scan import scan_shard
from tests.shards.conftest import MakeSample


def write_tar(path: Path, members: list[tuple[str, bytes]]) -> None:
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def members_of(key: str, parts: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return [(f"{key}.{name}", data) for name, data in parts]


def test_a_sound_shard_gives_the_rows_of_the_index(shard_set: Path) -> None:
    scan = scan_shard(str(shard_set), "00000.tar", deep=True)
    assert scan.faults == []
    assert scan.index.equals(read_index(str(shard_set)).slice(0, 4))
    assert scan.end == scan.num_bytes == (shard_set / "00000.tar").stat().st_size


def test_parts_that_are_not_adjacent_are_two_broken_samples(tmp_path: Path, make_sample: MakeSample) -> None:
    parts = encode_sample(make_sample(0, num_images=1))
    other = members_of("b", encode_sample(make_sample(1, num_images=0)))
    write_tar(tmp_path / "t.tar", [*members_of("a", parts[:1]), *other, *members_of("a", parts[1:])])
    scan = scan_shard(str(tmp_path), "t.tar")
    assert scan.keys == ["a", "b", "a"]
    assert scan.faults == [
        "t.tar, sample a: has parts ['json'] for 1 image items",
        "t.tar, sample a: starts with 0.jpg instead of json",
    ]


def test_a_part_that_no_item_names_is_a_fault(tmp_path: Path, make_sample: MakeSample) -> None:
    write_tar(tmp_path / "t.tar", members_of("a", [*encode_sample(make_sample(0, num_images=0)), ("0.jpg", b"x")]))
    faults = scan_shard(str(tmp_path), "t.tar").faults
    assert faults == ["t.tar, sample a: has parts ['json', '0.jpg'] for 0 image items"]


@pytest.mark.parametrize("where", [3, 124, 150, 157])
def test_a_broken_header_in_the_middle_is_not_the_end(shard_set: Path, where: int) -> None:
    path = shard_set / "00000.tar"
    data = bytearray(path.read_bytes())
    data[read_index(str(shard_set)).to_pylist()[2]["offset"] + where] ^= 0x55
    path.write_bytes(data)
    faults = scan_shard(str(shard_set), "00000.tar").faults
    assert len(faults) == 1
    assert faults[0].startswith("00000.tar: the archive ends after 2 samples at byte 10,240")


def test_a_shard_cut_off_within_a_part_is_broken(shard_set: Path) -> None:
    path = shard_set / "00000.tar"
    path.write_bytes(path.read_bytes()[:700])
    faults = scan_shard(str(shard_set), "00000.tar").faults
    assert faults == ["00000.tar: broken tar after 0 samples (unexpected end of data)"]


@pytest.mark.parametrize("data", [b"", b"hello", b"\0" * 10_240])
def test_a_file_without_samples_is_a_fault(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "t.tar").write_bytes(data)
    assert len(scan_shard(str(tmp_path), "t.tar").faults) == 1


def test_deep_looks_at_pixels(tmp_path: Path, make_sample: MakeSample) -> None:
    sample = make_sample(0, num_images=1)
    parts = encode_sample(sample)
    wrong_size = parts[0][1].replace(b'"width":8', b'"width":9')
    write_tar(tmp_path / "t.tar", members_of("a", [("json", wrong_size), parts[1]]))
    assert scan_shard(str(tmp_path), "t.tar").faults == []
    assert scan_shard(str(tmp_path), "t.tar", deep=True).faults == [
        "t.tar, sample a: 0.jpg is 8x9 px, the record says 9x9"
    ]


def test_a_picture_wider_than_the_index_can_say_is_a_fault_of_its_record(
    tmp_path: Path, make_sample: MakeSample
) -> None:
    parts = encode_sample(make_sample(0, num_images=1))
    wide = parts[0][1].replace(b'"width":8', b'"width":99999999999')
    write_tar(tmp_path / "t.tar", members_of("a", [("json", wide), parts[1]]))
    (fault,) = scan_shard(str(tmp_path), "t.tar").faults
    assert fault.startswith("t.tar, sample a: json items.1.image.width: Input should be less than")


@pytest.mark.parametrize(
    ("limit", "fault"),
    [(500, "json has 2,607 bytes, more than the 500 that"), (2700, "0.jpg does not decode (2,800 bytes, more than")],
)
def test_what_is_too_large_to_hold_is_hashed_but_not_looked_into(
    limit: int, fault: str, tmp_path: Path, make_sample: MakeSample, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = _pad(encode_sample(make_sample(0, num_images=1))[1][1], 2800)
    image = make_sample(0, num_images=1).items[1]
    assert isinstance(image, SampleImage)
    image = replace(image, data=data, image_id=sha256_hex(data))
    parts = encode_sample(replace(make_sample(0), items=[SampleText("x" * 2260), image]))
    write_tar(tmp_path / "t.tar", members_of("a", parts))
    for module in (scan, tar_stream):
        monkeypatch.setattr(module, "MAX_HELD_BYTES", limit)
    (found,) = scan_shard(str(tmp_path), "t.tar", deep=True).faults
    assert found.startswith(f"t.tar, sample a: {fault}")
    assert len(scan_shard(str(tmp_path), "t.tar").faults) == (limit == 500)


def _pad(jpeg: bytes, num_bytes: int) -> bytes:
    """Lengthen a JPEG behind its end mark."""
    return jpeg + bytes(num_bytes - len(jpeg))


def test_rows_that_wait_are_put_into_the_index_in_blocks(shard_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "BLOCK_ROWS", 3)
    assert scan_shard(str(shard_set), "00000.tar").index.equals(read_index(str(shard_set)).slice(0, 4))
