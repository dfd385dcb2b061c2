import gzip
import random
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard

from curate.contract.reasons import FetchStatus
from curate.fetch.errors import FetchError
from curate.fetch.network.decoders import MAX_MEMBERS, Brotli, Decoder, Inflate, Zstd

TEXT = b"one two three " * 20
SKIPPED = b"\x5f\x2a\x4d\x18\x01\0\0\0x"


def raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


CODINGS: dict[type[Decoder], Callable[[bytes], bytes]] = {
    Inflate: gzip.compress,
    Zstd: zstandard.compress,
    Brotli: lambda data: brotli.compress(data, quality=5),
}


def undone(decoder: Decoder, body: bytes, *, chunk_bytes: int = 7, max_bytes: int = 10_000_000) -> bytes:
    starts = range(0, len(body), chunk_bytes)
    parts = [decoder.decode(body[start : start + chunk_bytes], max_bytes) for start in starts]
    return b"".join(parts) + decoder.finish(max_bytes)


@pytest.mark.parametrize("make", CODINGS)
@pytest.mark.parametrize("chunk_bytes", [1, 1_000, 100_000])
def test_all_that_went_in_comes_out(make: type[Decoder], chunk_bytes: int) -> None:
    data = random.Random(0).randbytes(40_000) + bytes(300_000) + TEXT
    assert undone(make(), CODINGS[make](data), chunk_bytes=chunk_bytes) == data


@pytest.mark.parametrize("make", CODINGS)
def test_a_bomb_gives_what_there_is_room_for_and_takes_little_more(make: type[Decoder]) -> None:
    bomb = CODINGS[make](bytes(60_000_000))
    tracemalloc.start()
    for max_bytes in (1, 1_000, 100_000):
        assert make().decode(bomb, max_bytes) == bytes(max_bytes)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 20_000_000


@pytest.mark.parametrize(
    ("decoder", "body"),
    [
        (Inflate(), TEXT),
        (Inflate(), gzip.compress(TEXT)[:-9]),
        (Inflate(), gzip.compress(TEXT)[:-8] + bytes(8)),
        (Inflate(), gzip.compress(b"") * (MAX_MEMBERS + 1)),
        (Zstd(), TEXT),
        (Zstd(), zstandard.compress(TEXT)[:-1]),
        (Zstd(), zstandard.ZstdCompressor(write_checksum=True).compress(TEXT)[:-4] + bytes(4)),
        (Zstd(), zstandard.compress(b"") * (MAX_MEMBERS + 1)),
        (Zstd(), SKIPPED * (MAX_MEMBERS + 1)),
        (Brotli(), TEXT),
        (Brotli(), brotli.compress(TEXT)[:-1]),
        (Brotli(), brotli.compress(TEXT) + bytes(1)),
        (Brotli(), b""),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, bytes) else "",
)
@pytest.mark.parametrize("chunk_bytes", [1, 100_000])
def test_broken_codings(decoder: Decoder, body: bytes, chunk_bytes: int) -> None:
    with pytest.raises(FetchError) as caught:
        undone(type(decoder)(), body, chunk_bytes=chunk_bytes)
    assert caught.value.status == FetchStatus.PROTOCOL_ERROR


@pytest.mark.parametrize(
    ("decoder", "body"),
    [
        (Inflate(), gzip.compress(TEXT[:9]) + gzip.compress(TEXT[9:]) + bytes(40)),
        (Inflate(), zlib.compress(TEXT)),
        (Inflate(), raw_deflate(TEXT)),
        (Zstd(), SKIPPED + zstandard.compress(TEXT[:9]) + zstandard.compress(TEXT[9:]) + bytes(40)),
    ],
)
@pytest.mark.parametrize("chunk_bytes", [1, 100_000])
def test_members_follow_each_other_and_padding_ends_them(decoder: Decoder, body: bytes, chunk_bytes: int) -> None:
    assert undone(type(decoder)(), body, chunk_bytes=chunk_bytes) == TEXT


def test_a_window_larger_than_the_coding_allows_is_refused() -> None:
    wide = zstandard.ZstdCompressionParameters(window_log=24)
    stream = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    with pytest.raises(FetchError, match="too much memory"):
        undone(Zstd(), stream.compress(TEXT) + stream.flush())
