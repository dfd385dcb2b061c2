"""Decompressed content of a stream, its compression told by the first bytes and never by a name."""

import io
import re
from collections.abc import Callable

from curate.ingest.files.decoders import DECODERS, Decoder

_STEP_BYTES = 64 << 10
_HEAD_BYTES = 64 << 10  # decompressed ahead, for who looks at the first bytes to tell a format

_MAGIC = {
    "gz": re.compile(rb"\x1f\x8b\x08"),
    "bz2": re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"),
    "xz": re.compile(rb"\xfd7zXZ\x00"),
    "zst": re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),
    "zip": re.compile(rb"PK(\x03\x04|\x05\x06)"),
}
EXTENSIONS = frozenset({*_MAGIC, "bzip2", "gzip", "zstd", "lzma"})
"""Of files that are usually compressed."""


def find_compression(head: bytes) -> str:
    """Return ``gz``, ``bz2``, ``xz``, ``zst``, ``zip`` or an empty string by the first bytes of a file."""
    return next((name for name, magic in _MAGIC.items() if magic.match(head)), "")


def strip_compression(name: str) -> tuple[str, str]:
    """Split ``a.jsonl.gz`` into ``a.jsonl`` and ``gz``; the second part is empty for an uncompressed file's name."""
    stem, dot, extension = name.rpartition(".")
    extension = extension.lower()
    return (stem, extension) if dot and extension in EXTENSIONS else (name, "")


def decompress(stream: io.BufferedReader, compression: str) -> io.BufferedReader:
    """Return the content of a stream that :func:`find_compression` recognised, but for zip.

    Files behind one another read as one. Bytes after the last that are no such file are an error, zeros excepted.
    """
    return io.BufferedReader(_Unpacked(stream, DECODERS[compression]), 256 << 10)


class _Unpacked(io.RawIOBase):
    """Decompressed bytes; seeking back starts over, as gzip's own reader does."""

    def __init__(self, stream: io.BufferedReader, make: Callable[[], Decoder]) -> None:
        self._stream, self._make = stream, make
        self._start_over()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._stream.seekable()

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if whence == io.SEEK_END:
            while self._skip(_STEP_BYTES):
                pass
        target = offset if whence == io.SEEK_SET else self._at + offset
        if target < self._at:
            self._stream.seek(0)
            self._start_over()
        while self._at < target and self._skip(target - self._at):
            pass
        return self._at

    def readinto(self, buffer: "memoryview[int]", /) -> int:  # type: ignore[override]  # of the two types it may be
        data = self._take(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _start_over(self) -> None:
        self._decoder: Decoder | None = self._make()
        self._ahead = bytearray()
        self._at = 0
        self._error: BaseException | None = None
        self._fill(_HEAD_BYTES)

    def _skip(self, num_bytes: int) -> int:
        return len(self._take(min(num_bytes, _STEP_BYTES)))

    def _take(self, num_bytes: int) -> bytes:
        if not self._ahead:
            self._fill(1)
        if not self._ahead and self._error is not None:
            raise self._error
        data = bytes(self._ahead[:num_bytes])
        del self._ahead[:num_bytes]
        self._at += len(data)
        return data

    def _fill(self, num_bytes: int) -> None:
        """Decompress until so much is there; an error waits until what came before it has been read."""
        try:
            while len(self._ahead) < num_bytes and self._decoder is not None and self._error is None:
                self._advance(self._decoder)
        except Exception as error:  # noqa: BLE001  # raised again by the read that reaches it
            self._error = error

    def _advance(self, decoder: Decoder) -> None:
        if decoder.eof:
            self._decoder = self._next_file(decoder.unused_data)
            return
        data = self._stream.read1(_STEP_BYTES) if decoder.needs_input else b""
        if not data and decoder.needs_input:
            raise EOFError("the compressed file ends before its end mark")
        self._ahead += decoder.decompress(data, _STEP_BYTES)

    def _next_file(self, left: bytes) -> Decoder | None:
        """Start on the file behind the one that ended."""
        while not (left := left.lstrip(b"\0")):
            if not (left := self._stream.read1(_STEP_BYTES)):
                return None
        decoder = self._make()
        self._ahead += decoder.decompress(left, _STEP_BYTES)
        return decoder
