import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.contract.reasons import IngestReason
from curate.contract.records import Fault
from curate.ingest.files import tars
from curate.ingest.files.tars import TarSample, read_tar_samples


def tar(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def read(data: bytes) -> list[TarSample | Fault]:
    return list(read_tar_samples(io.BytesIO(data), label="a.tar"))


def test_members_of_one_key_are_a_sample() -> None:
    found = read(
        tar(("x/000.jpg", b"J"), ("x/000.json", b"{}"), ("x/001.TXT", b"t"), ("y/001.txt", b"u"), ("b.0.jpg", b"0"))
    )
    assert all(isinstance(one, TarSample) for one in found)
    assert [(one.key, one.parts, one.place.ordinal) for one in found if isinstance(one, TarSample)] == [
        ("x/000", {"jpg": b"J", "json": b"{}"}, "a.tar#1"),
        ("x/001", {"txt": b"t"}, "a.tar#2"),
        ("y/001", {"txt": b"u"}, "a.tar#3"),
        ("b", {"0.jpg": b"0"}, "a.tar#4"),
    ]


def test_a_member_that_is_too_large_or_twice_there_is_a_fault_of_its_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tars, "MAX_PART_BYTES", 10)
    found = read(tar(("a.jpg", b"x" * 11), ("a.txt", b"t"), ("b.txt", b"t"), ("b.txt", b"u"), ("c.txt", b"t")))
    assert [type(one) for one in found] == [Fault, Fault, TarSample]
    details = [one.detail for one in found if isinstance(one, Fault)]
    assert "a.jpg has 11 bytes, more than 10" in details[0]
    assert "b.txt is there twice" in details[1]


def test_a_tar_that_breaks_off_gives_what_came_before() -> None:
    whole = tar(*((f"{number}.{name}", b"t" * 2000) for number in range(4) for name in ("txt", "json")))
    found = read(whole[: 5 * 2560 + 700])
    assert [one.key for one in found if isinstance(one, TarSample)] == ["0", "1"]
    assert [one.reason for one in found if isinstance(one, Fault)] == [
        IngestReason.MALFORMED_RECORD,
        IngestReason.UNREADABLE_FILE,
    ]


def test_what_is_no_tar_is_a_fault_of_the_file() -> None:
    for data in (b"", b"no tar", b"{}\n" * 1000, tar()):
        (fault,) = read(data)
        assert isinstance(fault, Fault)
        assert fault.reason == IngestReason.UNREADABLE_FILE


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=600), st.integers(0, 4000))
def test_no_bytes_raise(junk: bytes, place: int) -> None:
    whole = tar(("a.jpg", b"J" * 600), ("a.txt", b"t"), ("b.txt", b"u"))
    for one in read(whole[:place] + junk + whole[place + len(junk) :]):
        assert isinstance(one, TarSample | Fault)
