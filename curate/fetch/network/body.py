"""Reading a body within a byte cap, before and after its content coding is undone."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from curate.contract.reasons import FetchStatus
from curate.fetch.errors import FetchError
from curate.fetch.network.codings import decoder_for
from curate.fetch.network.transport import Response

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
    decoder = decoder_for(response.headers)
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
    parts.append(decoder.finish(max_bytes - decoded + 1))  # a few bytes: what it takes to tell a coding
    if decoded + len(parts[-1]) > max_bytes and not keep_prefix:
        raise FetchError(FetchStatus.TOO_LARGE, f"more than {max_bytes} bytes", response.status)
    return b"".join(parts)[:max_bytes]


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
