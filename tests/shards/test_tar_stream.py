import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shards import scan, tar_stream
from shards.sample import encode_sample
from shards.scan import ShardScan, list_keys, scan_shard
from shards.tar_stream import AnyTar, Member, PlainTar, TarStream, UnusualTar
from tests.shards.conftest import MakeSample


def members_of(stream: TarStream) -> list[tuple[Member, str]]:
    found = []
    while (member := stream.next()) is not None:
        found.append((member, stream.digest()))
    return found


def tar_of(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.USTAR_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for member, data in members:
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def outcome(scanned: ShardScan) -> list[Any]:
    return [scanned.num_bytes, scanned.sha256, scanned.index, scanned.keys, scanned.offsets, scanned.faults]


def test_both_readers_say_the_same_of_a_shard(shard_set: Path) -> None:
    data = (shard_set / "00000.tar").read_bytes()
    plain, other = PlainTar(io.BytesIO(data)), AnyTar(io.BytesIO(data))
    assert members_of(plain) == members_of(other) != []
    assert plain.end == other.end
    assert plain.finish() == other.finish() == (hashlib.sha256(data).hexdigest(), len(data))


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(part=st.floats(0, 1, exclude_max=True), mask=st.integers(0, 255), how=st.sampled_from(["flip", "cut"]))
def test_whatever_is_broken_is_told_as_tarfile_tells_it(
    shard_set: Path, part: float, mask: int, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shard_set / "00001.tar"
    before = path.read_bytes()
    data, place = bytearray(before), int(part * len(before))
    data[place] ^= mask
    path.write_bytes(data[:place] if how == "cut" else data)
    found = scan_shard(str(shard_set), "00001.tar")
    keys = list_keys(str(shard_set), "00001.tar")
    with monkeypatch.context() as patch:
        patch.setattr(scan, "PlainTar", AnyTar)
        assert outcome(found) == outcome(scan_shard(str(shard_set), "00001.tar"))
    path.write_bytes(before)
    assert keys[: len(found.keys)] == found.keys


def test_content_that_nobody_takes_is_passed_over_and_larger_pieces_are_hashed_in_steps(
    monkeypatch: pytest.MonkeyPatch, shard_set: Path
) -> None:
    monkeypatch.setattr(tar_stream, "BUFFER_BYTES", 700)
    monkeypatch.setattr(tar_stream, "MAX_HELD_BYTES", 1000)
    data = (shard_set / "00000.tar").read_bytes()
    wanted = members_of(AnyTar(io.BytesIO(data)))
    assert members_of(PlainTar(io.BytesIO(data))) == wanted
    stream: TarStream = PlainTar(io.BytesIO(data))
    assert [stream.next() for _ in wanted] == [member for member, _ in wanted]
    for open_stream in (PlainTar, AnyTar):
        stream = open_stream(io.BytesIO(data))
        for member, digest in wanted:
            assert stream.next() == member
            content = stream.read()
            assert (content is None) == (member.num_bytes > 1000)
            assert digest == (stream.digest() if content is None else hashlib.sha256(content).hexdigest())


def named(name: str, **attributes: Any) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    for attribute, value in attributes.items():
        setattr(member, attribute, value)
    return member


@pytest.mark.parametrize(
    "data",
    [
        tar_of((named("a.json"), b"{}")),
        tar_of((named("ä.json"), b"{}"), form=tarfile.PAX_FORMAT),
        tar_of((named("n" * 150), b""), form=tarfile.GNU_FORMAT),
        b"",
        b"\xff" * 512,
        b"\0" * 124 + b"8" * 388,
    ],
)
def test_what_our_writer_does_not_write_is_not_plain(data: bytes) -> None:
    with pytest.raises(UnusualTar):
        members_of(PlainTar(io.BytesIO(data)))


def test_other_tools_tars_are_read_with_their_owners_and_names(make_sample: MakeSample, tmp_path: Path) -> None:
    parts = encode_sample(make_sample(0, num_images=1))
    members = [(named(f"b/ä{'x' * 120}.{part}", mode=0o600, uname="me"), data) for part, data in parts]
    (tmp_path / "t.tar").write_bytes(tar_of(*members, form=tarfile.GNU_FORMAT))
    found = scan_shard(str(tmp_path), "t.tar")
    assert (found.faults, found.keys) == ([], [f"b/ä{'x' * 120}"])
    assert list_keys(str(tmp_path), "t.tar") == found.keys


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (lambda: tar_of((named("a.json", pax_headers={"comment": "x" * (2 << 20)}), b""), form=tarfile.PAX_FORMAT),
         "a header of 2,097,"),
        (lambda: tar_of((named("a.json", pax_headers={"GNU.sparse.major": "0", "GNU.sparse.map": "0,1",
                                                      "GNU.sparse.size": "99999999999999"}), b"x"),
                        form=tarfile.PAX_FORMAT), "a sparse member"),
        (lambda: tar_of((named("a.json", type=tarfile.SYMTYPE, linkname="/etc/passwd"), b"")),
         "cannot extract (sym)link"),
    ],
)  # fmt: skip
def test_headers_that_would_fill_memory_or_lead_elsewhere_are_faults(
    make: Callable[[], bytes], cause: str, tmp_path: Path
) -> None:
    (tmp_path / "t.tar").write_bytes(make())
    (fault,) = scan_shard(str(tmp_path), "t.tar").faults
    assert fault.startswith("t.tar: broken tar after 0 samples (")
    assert cause in fault
