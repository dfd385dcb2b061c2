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


def test_tars_behind_one_another_read_on() -> None:
    found = read(tar(("0.txt", b"t")) + tar(("1.txt", b"u")))
    assert [one.key for one in found if isinstance(one, TarSample)] == ["0", "1"]
    assert len(found) == 2


def test_a_damaged_header_is_no_end() -> None:
    whole = bytearray(tar(*((f"{number}.txt", b"t") for number in range(4))))
    whole[2 * 1024 + 150] ^= 0xFF  # in the checksum of the third
    found = read(bytes(whole))
    assert [one.key for one in found if isinstance(one, TarSample)] == ["0"]
    assert [one.reason for one in found if isinstance(one, Fault)][-1] == IngestReason.UNREADABLE_FILE


@pytest.mark.parametrize("end", [2 * 1024, 2 * 1024 + 200])
def test_a_cut_between_members_is_no_end(end: int) -> None:
    found = read(tar(*((f"{number}.txt", b"t") for number in range(4)))[:end])
    assert [one.reason for one in found if isinstance(one, Fault)][-1] == IngestReason.UNREADABLE_FILE


def test_what_macos_adds_is_passed_over() -> None:
    (sample,) = read(tar(("._0.jpg", b"x"), ("0.jpg", b"J"), ("a/._0.txt", b"x"), ("0.txt", b"t")))
    assert isinstance(sample, TarSample)
    assert sample.parts == {"jpg": b"J", "txt": b"t"}


def test_a_long_name_of_a_gigabyte_is_not_read() -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 30
    found = read(tar(("0.txt", b"t"))[:1024] + info.tobuf() + b"0" * 4096)
    assert "a header of 1,073,741,824 bytes" in [one.detail for one in found if isinstance(one, Fault)][-1]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=600), st.integers(0, 4000))
def test_no_bytes_raise(junk: bytes, place: int) -> None:
    whole = tar(("a.jpg", b"J" * 600), ("a.txt", b"t"), ("b.txt", b"u"))
    for one in read(whole[:place] + junk + whole[place + len(junk) :]):
        assert isinstance(one, TarSample | Fault)
