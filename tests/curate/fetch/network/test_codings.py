import gzip
import zlib

import brotli
import pytest
import zstandard
from multidict import CIMultiDict, CIMultiDictProxy

from curate.contract.reasons import FetchStatus
from curate.fetch.errors import FetchError
from curate.fetch.network.codings import decoder_for
from tests.curate.fetch import samples

TEXT = b"one two three " * 20
PAGE = b"<!doctype html><p>one two three"
MAX_BYTES = 100_000


def undone(body: bytes, *codings: str, chunk_bytes: int = 7, max_bytes: int = MAX_BYTES) -> bytes:
    decoder = decoder_for(CIMultiDictProxy(CIMultiDict([("Content-Encoding", coding) for coding in codings])))
    starts = range(0, len(body), chunk_bytes)
    parts = [decoder.decode(body[start : start + chunk_bytes], max_bytes) for start in starts]
    return b"".join(parts) + decoder.finish(max_bytes)


def raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


def zstd(data: bytes) -> bytes:
    return zstandard.compress(data)


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("identity", TEXT),
        ("gzip", gzip.compress(TEXT)),
        ("X-GZIP", gzip.compress(TEXT)),
        ("gzip", gzip.compress(TEXT[:9]) + gzip.compress(TEXT[9:])),
        ("gzip", gzip.compress(TEXT) + bytes(40)),
        ("gzip", zlib.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", raw_deflate(TEXT)),
        ("deflate", gzip.compress(TEXT)),
        ("gzip, gzip", gzip.compress(gzip.compress(TEXT))),
        ("br", gzip.compress(TEXT)),
        ("none", gzip.compress(TEXT)),
        ("br", brotli.compress(TEXT)),
        ("zstd", zstd(TEXT)),
        ("ZSTD", zstd(TEXT[:9]) + b"\x5a\x2a\x4d\x18\x01\0\0\0x" + zstd(TEXT[9:]) + bytes(40)),
        ("", zstd(TEXT)),
        ("br, gzip", gzip.compress(brotli.compress(TEXT))),
        ("gzip, br", brotli.compress(gzip.compress(TEXT))),
        ("zstd, br", brotli.compress(zstd(TEXT))),
    ],
)
@pytest.mark.parametrize("chunk_bytes", [1, 7, 10_000])
def test_codings_are_undone(coding: str, body: bytes, chunk_bytes: int) -> None:
    assert undone(body, coding, chunk_bytes=chunk_bytes) == TEXT


@pytest.mark.parametrize(
    "coding", ["", "UTF-8", "none", "binary", "text/html", "gzip", "gzip, gzip", "zstd", "identity, none"]
)
@pytest.mark.parametrize("chunk_bytes", [1, 10_000])
def test_a_label_on_what_is_not_encoded_is_ignored(coding: str, chunk_bytes: int) -> None:
    for body in (TEXT, PAGE, b"ab", b""):
        assert undone(body, coding, chunk_bytes=chunk_bytes) == body


@pytest.mark.parametrize("coding", ["deflate", "br", "zstd"])
def test_a_known_label_is_ignored_where_the_bytes_tell(coding: str) -> None:
    for body in (samples.jpeg(), PAGE, b"\xef\xbb\xbf" + PAGE):
        assert undone(body, coding) == body


def test_gzip_needs_no_label_and_labels_may_stand_in_several_lines() -> None:
    assert undone(gzip.compress(PAGE)) == PAGE
    assert undone(gzip.compress(PAGE), "UTF-8", "gzip") == PAGE


@pytest.mark.parametrize("coding", ["compress", "xz", "gzip, dcz"])
def test_codings_that_were_not_asked_for(coding: str) -> None:
    with pytest.raises(FetchError, match="not asked for") as caught:
        undone(TEXT, coding)
    assert caught.value.status == FetchStatus.PROTOCOL_ERROR


def test_what_begins_as_a_page_does_may_be_coded() -> None:
    begins_with_a_control_character = b"\x0b<\x80" + TEXT[:121] + b"\x03"
    assert undone(begins_with_a_control_character, "br") == TEXT[:121]


def test_one_coding_that_is_not_the_one_named_has_none_under_it() -> None:
    assert undone(gzip.compress(TEXT), "br") == TEXT
    assert undone(zstd(TEXT), "br") == TEXT


def test_no_more_than_two_codings_are_undone() -> None:
    assert undone(brotli.compress(zstd(gzip.compress(PAGE))), "gzip, zstd, br") == gzip.compress(PAGE)


BOMB = bytes(30_000_000)


@pytest.mark.parametrize(
    "bomb",
    [
        gzip.compress(gzip.compress(BOMB, 1)),
        brotli.compress(gzip.compress(BOMB, 1), quality=5),
        zstd(zstd(BOMB)),
        brotli.compress(zstd(BOMB), quality=5),
    ],
    ids=["gzip", "gzip in br", "zstd", "zstd in br"],
)
def test_a_bomb_in_a_bomb_is_not_inflated(bomb: bytes) -> None:
    for max_bytes in (100, 1_000_000):
        decoder = decoder_for(CIMultiDictProxy(CIMultiDict({"Content-Encoding": "br"})))
        assert len(decoder.decode(bomb, max_bytes) or decoder.finish(max_bytes)) == max_bytes


def test_a_bomb_between_two_codings_is_not_inflated() -> None:
    bomb = gzip.compress(gzip.compress(b"", mtime=0)[:10] + bytes(10_000_000))
    with pytest.raises(FetchError):
        undone(bomb, chunk_bytes=len(bomb))
