"""Reading a body within a byte cap, before and after its content coding is undone."""

import asyncio
import re
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from curate.contract.reasons import FetchStatus
from curate.fetch.errors import FetchError
from curate.fetch.network.transport import Response

ACCEPT_ENCODING = "gzip, deflate"
"""What `read_body` can undo; nothing else is asked for."""

MAX_GZIP_MEMBERS = 64
"""Real bodies have one; thousands of empty ones are an attack on the processor."""

_AUTO_HEADER = 32 + zlib.MAX_WBITS  # zlib or gzip, told by the header
_RAW_DEFLATE = -zlib.MAX_WBITS
_GZIP_MAGIC = b"\x1f"
_ZLIB_METHOD_MASK, _ZLIB_METHOD = 0x0F, 8  # RFC 1950, section 2.2
_DIGITS = re.compile(r"\d{1,18}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """The slowest body that is waited for."""

    min_bytes: int
    """Bytes in every window; 0 allows any pace."""
    window_s: float


class OutgrownError(Exception):
    """A body needs more memory than there is now. Waiting with half a body in hand could last for ever."""


ANY_PACE = Pace(min_bytes=0, window_s=1.0)


async def read_body(
    response: Response,
    *,
    max_bytes: int,
    try_grow: Callable[[int], bool],
    keep_prefix: bool = False,
    pace: Pace = ANY_PACE,
) -> bytes:
    """Return the decoded body.

    Args:
        response: Its headers have been read, its body has not.
        max_bytes: Cap on the bytes received and on the bytes decoded from them.
        try_grow: Asked whether there is memory for so many bytes, before more are kept.
        keep_prefix: Return the first `max_bytes` of a larger body instead of failing.
        pace: How slow the sender may be.

    Raises:
        FetchError: TOO_LARGE, TIMEOUT, PROTOCOL_ERROR, or what the transport raises.
        OutgrownError: There is no memory.
    """
    announced = content_length(response.headers)
    if announced is not None and announced > max_bytes and not keep_prefix:
        raise FetchError(FetchStatus.TOO_LARGE, f"Content-Length is {announced}", response.status)
    decoder = _decoder_for(response.headers)
    received, decoded, parts = 0, 0, list[bytes]()
    async with _watched(pace, response.status) as watch:
        async for chunk in response.chunks():
            received += len(chunk)
            watch.saw(received)
            part = decoder.decode(chunk, max_bytes - decoded + 1)
            parts.append(part)
            decoded += len(part)
            if max(received, decoded) > max_bytes:
                if keep_prefix:
                    return b"".join(parts)[:max_bytes]
                raise FetchError(FetchStatus.TOO_LARGE, f"more than {max_bytes} bytes", response.status)
            if not try_grow(decoded):
                raise OutgrownError
    decoder.finish()
    return b"".join(parts)


@asynccontextmanager
async def _watched(pace: Pace, status: int) -> "AsyncIterator[_Watch]":
    """End the block with TIMEOUT once a window passes that brought too little."""
    try:
        async with asyncio.timeout(pace.window_s if pace.min_bytes else None) as deadline:
            yield _Watch(pace, deadline)
    except TimeoutError as error:
        text = f"fewer than {pace.min_bytes} bytes in {pace.window_s:g} s"
        raise FetchError(FetchStatus.TIMEOUT, text, status) from error


class _Watch:
    """Moves the deadline on with every window's worth of bytes."""

    def __init__(self, pace: Pace, deadline: asyncio.Timeout) -> None:
        self._pace = pace
        self._deadline = deadline
        self._next_bytes = pace.min_bytes

    def saw(self, received: int) -> None:
        if self._pace.min_bytes and received >= self._next_bytes:
            self._next_bytes = received + self._pace.min_bytes
            self._deadline.reschedule(asyncio.get_running_loop().time() + self._pace.window_s)


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
