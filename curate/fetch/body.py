"""Reading a body within a byte cap, before and after its content coding is undone."""

import re
import zlib
from collections.abc import Mapping
from typing import Protocol

from curate.contract.reasons import FetchStatus
from curate.fetch.errors import FetchError
from curate.fetch.transport import Response

ACCEPT_ENCODING = "gzip, deflate"
"""What `read_body` can undo; nothing else is asked for."""

MAX_GZIP_MEMBERS = 64
"""Real bodies have one; thousands of empty ones are an attack on the processor."""

_AUTO_HEADER = 32 + zlib.MAX_WBITS  # zlib or gzip, told by the header
_RAW_DEFLATE = -zlib.MAX_WBITS
_GZIP_MAGIC = b"\x1f"
_ZLIB_METHOD_MASK, _ZLIB_METHOD = 0x0F, 8  # RFC 1950, section 2.2
_DIGITS = re.compile(r"\d{1,18}")


async def read_body(response: Response, *, max_bytes: int, keep_prefix: bool = False) -> bytes:
    """Return the decoded body.

    Args:
        response: Its headers have been read, its body has not.
        max_bytes: Cap on the bytes received and on the bytes decoded from them.
        keep_prefix: Return the first `max_bytes` of a larger body instead of failing.

    Raises:
        FetchError: TOO_LARGE, PROTOCOL_ERROR, or what the transport raises.
    """
    announced = content_length(response.headers)
    if announced is not None and announced > max_bytes and not keep_prefix:
        raise FetchError(FetchStatus.TOO_LARGE, f"Content-Length is {announced}", response.status)
    decoder = _decoder_for(response.headers)
    received, decoded, parts = 0, 0, list[bytes]()
    async for chunk in response.chunks():
        received += len(chunk)
        part = decoder.decode(chunk, max_bytes - decoded + 1)
        parts.append(part)
        decoded += len(part)
        if max(received, decoded) > max_bytes:
            if keep_prefix:
                return b"".join(parts)[:max_bytes]
            raise FetchError(FetchStatus.TOO_LARGE, f"more than {max_bytes} bytes", response.status)
    decoder.finish()
    return b"".join(parts)


def content_length(headers: Mapping[str, str]) -> int | None:
    """Return the announced number of bytes on the wire, or None."""
    text = headers.get("Content-Length", "")
    return int(text) if _DIGITS.fullmatch(text) else None


class _Decoder(Protocol):
    def decode(self, data: bytes, max_bytes: int) -> bytes: ...

    def finish(self) -> None: ...


class _Identity:
    def decode(self, data: bytes, max_bytes: int) -> bytes:  # noqa: ARG002 the caller counts what was received
        return data

    def finish(self) -> None:
        pass


class _Inflate:
    """Undoes gzip (RFC 1952, several members allowed) and deflate (with and without its zlib header)."""

    def __init__(self) -> None:
        self._stream: zlib._Decompress | None = None
        self._members = 0

    def decode(self, data: bytes, max_bytes: int) -> bytes:
        """Return at most `max_bytes`; a caller that gets so many must not go on."""
        parts = list[bytes]()
        try:
            while data and max_bytes > 0:
                if self._stream is None and self._members and data[:1] != _GZIP_MAGIC:
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

    def finish(self) -> None:
        if self._stream is not None:
            raise FetchError(FetchStatus.PROTOCOL_ERROR, "content encoding: the compressed stream has no end")

    def _next_member(self, data: bytes) -> "zlib._Decompress":
        self._members += 1
        if self._members > MAX_GZIP_MEMBERS:
            raise FetchError(FetchStatus.PROTOCOL_ERROR, f"content encoding: more than {MAX_GZIP_MEMBERS} gzip members")
        has_header = data[:1] == _GZIP_MAGIC or data[0] & _ZLIB_METHOD_MASK == _ZLIB_METHOD
        return zlib.decompressobj(_AUTO_HEADER if has_header else _RAW_DEFLATE)


def _decoder_for(headers: Mapping[str, str]) -> _Decoder:
    coding = headers.get("Content-Encoding", "").strip().lower()
    if coding in {"", "identity"}:
        return _Identity()
    if coding in {"gzip", "x-gzip", "deflate"}:
        return _Inflate()
    raise FetchError(FetchStatus.PROTOCOL_ERROR, f"content encoding {coding[:40]!a} was not asked for")
