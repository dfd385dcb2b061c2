"""What undoes one content coding, chunk by chunk and never far beyond the bytes that its caller has room for.

Each keeps, beside what it returns, no more than its window, and of that no more than it has made so far: 32 KiB for
gzip, 8 MiB for zstd, 16 MiB for br.
"""

import zlib
from typing import Protocol

import brotli
import zstandard

from curate.contract.reasons import FetchStatus
from curate.fetch.errors import FetchError

MAX_MEMBERS = 64
"""Of gzip, or frames of zstd. Real bodies have one; thousands of empty ones are an attack on the processor."""

GZIP_MAGIC = b"\x1f\x8b\x08"  # RFC 1952, section 2.3.1; 8 is the only method
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"  # RFC 8878, section 3.1.1
_SKIPPABLE_MAGIC = tuple(bytes([low]) + b"\x2a\x4d\x18" for low in range(0x50, 0x60))  # section 3.1.2

_AUTO_HEADER = 32 + zlib.MAX_WBITS  # zlib or gzip, told by the header
_RAW_DEFLATE = -zlib.MAX_WBITS
_ZLIB_METHOD_MASK, _ZLIB_METHOD, _ZLIB_CHECK = 0x0F, 8, 31  # RFC 1950, section 2.2
_ZSTD_WINDOW_BYTES = 8 << 20  # RFC 9659: the most that the content coding may ask for
_ZSTD_STEP_BYTES = 256  # four bytes may stand for a block of 128 KiB: at most 8 MiB at once
_NO_END = "content encoding: the compressed stream has no end"


class Decoder(Protocol):
    """Undoes a coding chunk by chunk."""

    def decode(self, data: bytes, max_bytes: int) -> bytes:
        """Return at most `max_bytes` where the coding makes more of less; a caller that gets so many must not go on.

        Raises:
            FetchError: PROTOCOL_ERROR or TOO_LARGE.
        """

    def finish(self, max_bytes: int) -> bytes:
        """Return what was held back.

        Raises:
            FetchError: PROTOCOL_ERROR, there is no end.
        """


class Identity:
    """Passes on what is not coded."""

    def decode(self, data: bytes, max_bytes: int) -> bytes:  # noqa: ARG002 the caller counts what was received
        """See `Decoder`."""
        return data

    def finish(self, max_bytes: int) -> bytes:  # noqa: ARG002
        """See `Decoder`."""
        return b""


class Inflate:
    """Undoes gzip (RFC 1952, several members allowed) and deflate (with and without its zlib header)."""

    def __init__(self) -> None:
        self._stream: zlib._Decompress | None = None
        self._members = 0

    def decode(self, data: bytes, max_bytes: int) -> bytes:
        """See `Decoder`."""
        parts = list[bytes]()
        try:
            while data and max_bytes > 0:
                if self._stream is None and self._members and data[:1] != GZIP_MAGIC[:1]:
                    break  # padding after the last member
                stream = self._stream or self._next_member(data)
                part = stream.decompress(data, max_bytes)
                parts.append(part)
                max_bytes -= len(part)
                data = stream.unused_data
                self._stream = None if stream.eof else stream
        except zlib.error as error:
            raise FetchError(FetchStatus.PROTOCOL_ERROR, f"content encoding: {error}") from error
        return b"".join(parts)

    def finish(self, max_bytes: int) -> bytes:  # noqa: ARG002
        """See `Decoder`."""
        if self._stream is not None:
            raise FetchError(FetchStatus.PROTOCOL_ERROR, _NO_END)
        return b""

    def _next_member(self, data: bytes) -> "zlib._Decompress":
        self._members = _counted(self._members, "gzip members")
        has_header = data[:1] == GZIP_MAGIC[:1] or is_zlib(data)
        return zlib.decompressobj(_AUTO_HEADER if has_header else _RAW_DEFLATE)


class Zstd:
    """Undoes zstd (RFC 8878, several frames allowed), whose library bounds no output: its input goes in by steps."""

    def __init__(self) -> None:
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._frames = 0

    def decode(self, data: bytes, max_bytes: int) -> bytes:
        """See `Decoder`."""
        parts, num_bytes, at = list[bytes](), 0, 0
        try:
            while at < len(data) and num_bytes < max_bytes:
                if self._frame is None and self._frames and not _may_be_zstd(data[at]):
                    break  # padding after the last frame
                frame = self._frame or self._next_frame()
                step = data[at : at + _ZSTD_STEP_BYTES]
                parts.append(frame.decompress(step))
                num_bytes += len(parts[-1])
                at += len(step) - len(frame.unused_data)
                self._frame = None if frame.eof else frame
        except zstandard.ZstdError as error:
            raise FetchError(FetchStatus.PROTOCOL_ERROR, f"content encoding: {error}") from error
        return b"".join(parts)[:max_bytes]

    def finish(self, max_bytes: int) -> bytes:  # noqa: ARG002
        """See `Decoder`."""
        if self._frame is not None:
            raise FetchError(FetchStatus.PROTOCOL_ERROR, _NO_END)
        return b""

    def _next_frame(self) -> "zstandard.ZstdDecompressionObj":
        self._frames = _counted(self._frames, "zstd frames")
        return zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES).decompressobj()


class Brotli:
    """Undoes br (RFC 7932), which has no mark of its own: bytes of another kind are an error sooner or later."""

    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    def decode(self, data: bytes, max_bytes: int) -> bytes:
        """See `Decoder`."""
        if not data:
            return b""
        try:
            # The library's limit is a soft one: it may give a buffer's worth more.
            return bytes(self._stream.process(data, output_buffer_limit=max_bytes))[:max_bytes]
        except brotli.error as error:  # also for bytes after the end
            raise FetchError(FetchStatus.PROTOCOL_ERROR, f"content encoding: {error}") from error

    def finish(self, max_bytes: int) -> bytes:  # noqa: ARG002
        """See `Decoder`."""
        if not self._stream.is_finished():
            raise FetchError(FetchStatus.PROTOCOL_ERROR, _NO_END)
        return b""


def is_zlib(data: bytes) -> bool:
    """Return whether bytes begin with zlib's header, or with the first half of it."""
    is_deflate = data[:1] != b"" and data[0] & _ZLIB_METHOD_MASK == _ZLIB_METHOD
    return is_deflate and (len(data) == 1 or int.from_bytes(data[:2], "big") % _ZLIB_CHECK == 0)


def is_zstd(data: bytes) -> bool:
    """Return whether bytes begin with a frame of zstd."""
    return data.startswith((ZSTD_MAGIC, *_SKIPPABLE_MAGIC))


def _may_be_zstd(byte: int) -> bool:
    return any(magic[0] == byte for magic in (ZSTD_MAGIC, *_SKIPPABLE_MAGIC))


def _counted(num_members: int, what: str) -> int:
    if num_members == MAX_MEMBERS:
        raise FetchError(FetchStatus.PROTOCOL_ERROR, f"content encoding: more than {MAX_MEMBERS} {what}")
    return num_members + 1
