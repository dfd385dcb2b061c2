"""aiohttp's side of a connection, with each head and the frames of chunks mended before they are parsed.

aiohttp's parser is llhttp, whose lenient mode still refuses a blank in a header's name, a repeated Content-Length and
a blank in a chunk's extensions. Bodies without chunks pass through untouched.
"""

import asyncio
import functools
import re
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import BadHttpMessage

from curate.fetch.network.chunks import ChunkMender
from curate.fetch.network.head import HeadError, is_chunked, is_plain_answer, may_be_status_line, mend_head

MAX_HEAD_BYTES = 262_144
"""Of all headers together, Chrome's limit; also of what comes before the first of them."""

MAX_INTERIM_ANSWERS = 8
"""Heads with 1xx that may come before the answer itself."""

_END = re.compile(rb"\n\r?\n")
_INTERIM = re.compile(rb"HTTP/1\.. 1(?!01)\d\d")
_END_BYTES = 3
_BEGIN_BYTES = 5


class HeadMender:
    """Holds back the bytes of one answer until its head is whole; what follows it in chunks is theirs to mend."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._num_blank = self._num_interim = 0
        self.is_done = False
        """The head has been passed on: what follows is body."""
        self.chunks: ChunkMender | None = None
        """What that body has to go through, if it comes in chunks."""

    def feed(self, data: bytes) -> bytes:
        """Return what can be parsed now.

        Raises:
            HeadError: There is no answer in it.
        """
        if not self._held and is_plain_answer(data):
            self.is_done = True
            return data
        seen = max(0, len(self._held) - _END_BYTES)
        self._held += data
        passed = bytearray()
        while not self.is_done:
            seen = self._skip_blank_lines(seen)
            if not may_be_status_line(bytes(self._held[:_BEGIN_BYTES])):
                raise HeadError("no status line")
            end = _END.search(self._held, seen)
            if self._num_blank + (end.end() if end else len(self._held)) > MAX_HEAD_BYTES:
                raise HeadError(f"more than {MAX_HEAD_BYTES} bytes of headers")
            if end is None:
                return bytes(passed)
            head = mend_head(bytes(self._held[: end.end()]))
            del self._held[: end.end()]
            passed += head
            seen = 0
            self._count(head)
        self.chunks = ChunkMender() if is_chunked(head) else None
        body = bytes(self._held)
        return bytes(passed) + (body if self.chunks is None else self.chunks.feed(body))

    def _skip_blank_lines(self, seen: int) -> int:
        """Drop line ends before a head; return from where its end is to be looked for."""
        if not self._held.startswith((b"\r", b"\n")):
            return seen
        num_bytes = len(self._held)
        self._held = self._held.lstrip(b"\r\n")
        self._num_blank += num_bytes - len(self._held)
        return 0

    def _count(self, head: bytes) -> None:
        self.is_done = _INTERIM.match(head) is None
        self._num_interim += 1
        if self._num_interim > MAX_INTERIM_ANSWERS:
            raise HeadError(f"more than {MAX_INTERIM_ANSWERS} interim answers")


class LenientHandler(ResponseHandler):
    """See aiohttp's `ResponseHandler`; a mender lives from a request to the end of its answer's head or chunks."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._mender: HeadMender | None = None
        self._chunks: ChunkMender | None = None

    def set_response_params(self, **params: Any) -> None:
        """See `ResponseHandler`: called once for each request, before its answer."""
        self._mender, self._chunks = HeadMender(), None
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """See `ResponseHandler`."""
        if data:
            try:
                data = self._mended(data)
            except HeadError as error:
                self._refuse(error)
                return
            if not data:
                return
        super().data_received(data)

    def _mended(self, data: bytes) -> bytes:
        mender = self._mender
        if mender is not None:
            data = mender.feed(data)
            if mender.is_done:
                self._mender, self._chunks = None, mender.chunks
        elif self._chunks is not None:
            data = self._chunks.feed(data)
        if self._chunks is not None and self._chunks.is_odd:
            self.force_close()
        return data

    def _refuse(self, error: HeadError) -> None:
        self._mender = None
        if self.transport is not None:
            self.transport.close()
        self.set_exception(BadHttpMessage(str(error)), error)


class LenientConnector(aiohttp.TCPConnector):
    """A connector whose connections are read by `LenientHandler`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # aiohttp has no public place for it. A test with a broken head would tell of a version that has another.
        handler: type[ResponseHandler] = LenientHandler
        self._factory = functools.partial(handler, loop=self._loop)

    async def connect(self, req: aiohttp.ClientRequest, *options: Any, **named: Any) -> Connection:
        """See `BaseConnector`: a connection that a server is asked to close is used for no other request.

        aiohttp looks at what the answer says of it; servers close theirs without a word, and the next request is lost.
        """
        connection = await super().connect(req, *options, **named)
        if connection.protocol is not None and req.headers.get("Connection") == "close":
            connection.protocol.force_close()
        return connection
