"""The chunks of a body (RFC 9112, section 7.1), written anew for a parser that takes no fault.

curl and browsers pass over blanks around a chunk's size or in its extensions and over line ends without a carriage
return. So does this; where a body ends is then one's own reading, and its connection is not used again.
"""

import re

MAX_LINE_BYTES = 16_384
"""Of a size and its extensions, Chrome's limit."""

MAX_TRAILER_BYTES = 65_536
"""Of the headers after a body, which nobody reads; what comes beyond it is dropped, for the body is whole."""

_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\n]*)?\r?\n")
_PLAIN_SIZE = re.compile(rb"[0-9A-Fa-f]+(?:;[^\n]*)?\r\n")
_CRLF, _LF = b"\r\n", b"\n"
_NO_SIZE = b"!"  # no parser takes it for one
_LAST_CHUNK = b"0" + _CRLF


class ChunkMender:
    """Holds back a line that is not whole yet, and nothing of what is in the chunks."""

    def __init__(self) -> None:
        self._held = b""
        self._num_left = 0
        """Bytes of the chunk under way that are to come."""
        self._num_trailer = 0
        self._step = self._size
        self.is_odd = False
        """Something had to be mended."""

    def feed(self, data: bytes) -> bytes:
        """Return what can be parsed now. From a line on that makes no sense, it is what has come: an error."""
        if len(data) < self._num_left:
            self._num_left -= len(data)
            return data
        data, self._held = self._held + data, b""
        parts, at, seen = list[bytes](), 0, -1
        while at < len(data) and at != seen:
            seen = at
            part, at = self._step(data, at)
            parts.append(part)
        self._held = data[at:]
        return b"".join(parts)

    def _size(self, data: bytes, at: int) -> tuple[bytes, int]:
        """Return what goes on, and where the rest begins: at the same place if more must come first."""
        end = data.find(_LF, at) + 1
        if (end or len(data)) - at > MAX_LINE_BYTES:
            return self._give_up(_NO_SIZE, data, at)
        if not end:
            return b"", at
        size = _SIZE.fullmatch(data, at, end)
        if size is None:
            return self._give_up(b"", data, at)
        self.is_odd |= _PLAIN_SIZE.fullmatch(data, at, end) is None
        self._num_left = int(size[1], 16)
        self._step = self._content if self._num_left else self._trailer
        return b"%x\r\n" % self._num_left if self._num_left else _LAST_CHUNK, end

    def _content(self, data: bytes, at: int) -> tuple[bytes, int]:
        part = data[at : at + self._num_left]
        self._num_left -= len(part)
        self._step = self._content if self._num_left else self._end
        return part, at + len(part)

    def _end(self, data: bytes, at: int) -> tuple[bytes, int]:
        if data[at:] == _CRLF[:1]:
            return b"", at
        line_end = next((one for one in (_CRLF, _LF) if data.startswith(one, at)), None)
        if line_end is None:
            return self._give_up(b"", data, at)
        self.is_odd |= line_end == _LF
        self._step = self._size
        return _CRLF, at + len(line_end)

    def _trailer(self, data: bytes, at: int) -> tuple[bytes, int]:
        end = data.find(_LF, at) + 1
        if self._num_trailer + (end or len(data)) - at > MAX_TRAILER_BYTES:
            self.is_odd, self._step = True, self._nothing
            return _CRLF, len(data)
        if not end:
            return b"", at
        self._num_trailer += end - at
        self.is_odd |= not data.endswith(_CRLF, at, end)
        if data[at:end].strip(_CRLF):
            return b"", end
        self._step = self._rest
        return _CRLF, end

    def _rest(self, data: bytes, at: int) -> tuple[bytes, int]:
        return data[at:], len(data)

    def _nothing(self, data: bytes, at: int) -> tuple[bytes, int]:  # noqa: ARG002
        return b"", len(data)

    def _give_up(self, mark: bytes, data: bytes, at: int) -> tuple[bytes, int]:
        self.is_odd = True
        self._step = self._rest
        return mark + data[at:], len(data)
