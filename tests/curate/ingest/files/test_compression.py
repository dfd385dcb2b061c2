import bz2
import gzip
import io
import lzma
from collections.abc import Callable

import pytest
import zstandard

from curate.ingest.files.compression import decompress, find_compression, strip_compression
from curate.ingest.files.decoders import DECODERS
from curate.ingest.files.faults import READ_ERRORS

_PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.compress,
}
_TEXT = b"".join(b"%d\n" % (i * 7919 % 104729) for i in range(60_000))
_SKIPPABLE = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"


def _open(data: bytes, compression: str) -> io.BufferedReader:
    return decompress(io.BufferedReader(io.BytesIO(data)), compression)


def test_all_that_is_packed_here_is_decoded() -> None:
    assert set(_PACK) == set(DECODERS)


@pytest.mark.parametrize("name", _PACK)
def test_files_behind_one_another_read_as_one(name: str) -> None:
    data = _PACK[name](_TEXT[:1000]) + b"\0" * 8 + _PACK[name](_TEXT[1000:]) + b"\0" * 8
    assert find_compression(data) == name
    assert _open(data, name).read() == _TEXT


@pytest.mark.parametrize("name", _PACK)
def test_seeking(name: str) -> None:
    stream = _open(_PACK[name](_TEXT), name)
    assert stream.seek(-9, io.SEEK_END) == len(_TEXT) - 9
    assert stream.read() == _TEXT[-9:]
    assert (stream.seek(200_000), stream.read(5)) == (200_000, _TEXT[200_000:200_005])
    assert (stream.seek(3), stream.read(5)) == (3, _TEXT[3:8])


@pytest.mark.parametrize("name", _PACK)
@pytest.mark.parametrize("part", [0.0, 0.5, 1.0])
def test_an_early_end_and_what_comes_behind_the_end_are_errors(name: str, part: float) -> None:
    whole = _PACK[name](_TEXT)
    data = whole + b"more" if part == 1 else whole[: max(8, int(len(whole) * part))]
    stream = _open(data, name)
    read = bytearray()

    def read_all() -> None:
        while piece := stream.read1():
            read.extend(piece)

    with pytest.raises(READ_ERRORS):
        read_all()
    assert _TEXT.startswith(read)
    assert part < 1 or read == _TEXT


@pytest.mark.parametrize("name", _PACK)
def test_a_bomb_is_read_in_small_pieces(name: str) -> None:
    data = _PACK[name](bytes(50 << 20))
    stream = _open(data, name)
    assert max(len(stream.read1()) for _ in range(20)) <= 16 << 20
    assert len(stream.readline(1 << 20)) == 1 << 20


def test_zstd_frames_without_content_and_windows_of_gigabytes() -> None:
    assert find_compression(_SKIPPABLE) == "zst"
    assert _open(_SKIPPABLE + zstandard.compress(b"abc"), "zst").read() == b"abc"
    wide = zstandard.ZstdCompressionParameters(window_log=30, compression_level=1)
    packer = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    data = packer.compress(b"a" * 1000) + packer.flush()
    with pytest.raises(READ_ERRORS):
        _open(data, "zst").read()


@pytest.mark.parametrize(
    ("name", "parts"),
    [("a.jsonl.gz", ("a.jsonl", "gz")), ("A.ZIP", ("A", "zip")), ("a.txt", ("a.txt", "")), ("gz", ("gz", ""))],
)
def test_strip_compression(name: str, parts: tuple[str, str]) -> None:
    assert strip_compression(name) == parts
