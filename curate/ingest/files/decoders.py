"""What decompresses one file of each kind, all by the interface of bz2 and within bounded memory."""

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Protocol

import zstandard

_MEMORY_BYTES = 256 << 20  # xz -9 needs 65 MiB; a window of gigabytes is an attack
_ZSTD_STEP_BYTES = 512  # four bytes may stand for a block of 128 KiB: at most 16 MiB at once


class Decoder(Protocol):
    """One compressed file under way; the interface of bz2 and lzma."""

    @property
    def eof(self) -> bool:
        """Whether its end has been reached."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes out without more going in."""

    @property
    def unused_data(self) -> bytes:
        """What was given beyond its end."""

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        """Return some of the content."""


class _Gzip:
    """zlib by the interface of bz2; zlib checks length and CRC."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max(0, max_length))


class _Zstandard:
    """zstandard by the interface of bz2; a step of input and not of output is what is bounded."""

    def __init__(self) -> None:
        self._inner = zstandard.ZstdDecompressor(max_window_size=_MEMORY_BYTES >> 1).decompressobj()
        self._waiting = b""

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._waiting

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data + self._waiting

    def decompress(self, data: bytes, _max_length: int = -1, /) -> bytes:
        given = self._waiting + data
        self._waiting = given[_ZSTD_STEP_BYTES:]
        return self._inner.decompress(given[:_ZSTD_STEP_BYTES])


DECODERS: dict[str, Callable[[], Decoder]] = {
    "gz": _Gzip,
    "bz2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(memlimit=_MEMORY_BYTES),
    "zst": _Zstandard,
}
