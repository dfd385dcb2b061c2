"""The head of an answer, mended for a parser that takes no fault: what browsers and curl pass over is taken out.

Servers print warnings among their headers, put blanks into names and announce a length twice. None of that says
anything about the body, so lines that are no header are left out, and what frames the body is made unambiguous. A head
that could be read in two ways (two lengths) is refused.
"""

import re

MAX_LINE_BYTES = 32_768
"""Of one header; longer ones, such as content security policies, say nothing that is read here and are left out."""

MAX_HEADERS = 2_000
"""Further ones are left out."""

_CRLF = b"\r\n"
_END = _CRLF * 2
_PROTOCOLS = (b"HTTP/", b"ICY ")
_INTERIM = (b"HTTP/1.1 1", b"HTTP/1.0 1")
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # RFC 9110, section 5.6.2
_PLAIN = re.compile(
    rb"HTTP/1\.[01] [1-5]\d\d [^\0-\x08\n-\x1f]*\r\n"
    rb"(?:(?!content-length|transfer-encoding|sec-websocket)" + _TOKEN + rb":[^\0-\x08\n-\x1f]{0,8000}\r\n"
    rb"|content-length:[ \t]*\d{1,18}[ \t]*\r\n)*\r\n",
    re.IGNORECASE,
)
_STATUS_LINE = re.compile(rb"\s*(?:HTTP/(\d)(?:\.(\d))?|ICY)[ \t]*(\d{3})(?!\d)[ \t:]*(.*)", re.IGNORECASE | re.DOTALL)
_NAME = re.compile(_TOKEN)
_CONTROL = re.compile(rb"[\0-\x08\n-\x1f\x7f]")
_DIGITS = re.compile(rb"\d{1,18}")
_CHUNKED = b"Transfer-Encoding: chunked"
_LENGTH, _TRANSFER, _CONNECTION = b"content-length", b"transfer-encoding", b"connection"
_UNREAD = frozenset({b"sec-websocket-key1"})  # aiohttp refuses answers that have it


class HeadError(ValueError):
    """A head that no reading makes sense of."""


def is_plain_answer(data: bytes) -> bool:
    """Return whether bytes begin with a whole head that needs no mending and is not an interim one."""
    end = data.find(_END) + len(_END)
    return end >= len(_END) and not data.startswith(_INTERIM) and _is_plain(data[:end])


def may_be_status_line(begin: bytes) -> bool:
    """Return whether a line that begins so can be a status line; the end of it may still be missing."""
    return any(begin[: len(word)].upper() == word[: len(begin)] for word in _PROTOCOLS)


def mend_head(head: bytes) -> bytes:
    """Return a head, from its status line to the empty line, as RFC 9112 wants it.

    Raises:
        HeadError: There is no status line, or the body has two lengths.
    """
    if _is_plain(head):
        return head
    first, *rest = head.lstrip().split(b"\n")
    headers = [pair for pair in map(_parse, _unfold(rest)) if pair is not None][:MAX_HEADERS]
    framing = _framing(headers)
    others = (line for name, line in _lines(headers) if name not in {_LENGTH, _TRANSFER})
    return b"".join(line + _CRLF for line in (_status_line(first), *others, *framing)) + _CRLF


def is_chunked(mended: bytes) -> bool:
    """Return whether a mended head says that the body comes in chunks."""
    return _CRLF + _CHUNKED + _CRLF in mended


def _is_plain(head: bytes) -> bool:
    is_short = head.count(b"\n") <= MAX_HEADERS
    return is_short and _PLAIN.fullmatch(head) is not None and head.lower().count(b"\ncontent-length:") <= 1


def _status_line(line: bytes) -> bytes:
    match = _STATUS_LINE.match(line)
    if match is None:
        raise HeadError("no status line")
    minor = b"0" if match[1] in {None, b"0"} or (match[1] == b"1" and match[2] == b"0") else b"1"
    return b"HTTP/1." + minor + b" " + match[3] + b" " + _CONTROL.sub(b" ", match[4])[:200].strip()


def _unfold(lines: list[bytes]) -> list[bytes]:
    """Return logical lines: one that begins with a blank goes on with the one before (RFC 9112, section 5.2)."""
    whole: list[bytearray] = []
    for line in lines:
        if line[:1] in {b" ", b"\t"} and whole:
            if len(whole[-1]) <= MAX_LINE_BYTES:
                whole[-1] += b" " + line.strip()
        else:
            whole.append(bytearray(line.strip()))
    return [bytes(line) for line in whole]


def _parse(line: bytes) -> tuple[bytes, bytes] | None:
    """Return a header's name and value, or None for a line that is none."""
    name, colon, value = line.partition(b":")
    name = name.strip()
    if not colon or _NAME.fullmatch(name) is None or len(line) >= MAX_LINE_BYTES or name.lower() in _UNREAD:
        return None
    return name, _CONTROL.sub(b" ", value).strip()


def _lines(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower(), name + b": " + value) for name, value in headers]


def _framing(headers: list[tuple[bytes, bytes]]) -> list[bytes]:
    """Return the headers that say where the body ends; none leaves it to the end of the connection."""
    if _listed(headers, _TRANSFER)[-1:] == [b"chunked"]:
        is_doubtful = any(name.lower() == _LENGTH for name, _ in headers)
        # The length is overridden, and the connection not used again (RFC 9112, section 6.3).
        return [_CHUNKED, *([b"Connection: close"] if is_doubtful else [])]
    lengths = {int(text) for text in _listed(headers, _LENGTH) if _DIGITS.fullmatch(text)}
    if len(lengths) > 1:
        raise HeadError(f"Content-Length is both {min(lengths)} and {max(lengths)}")
    return [b"Content-Length: %d" % length for length in lengths]


def _listed(headers: list[tuple[bytes, bytes]], wanted: bytes) -> list[bytes]:
    """Return the members of a list that several lines of one name may hold, in lower case."""
    values = [value for name, value in headers if name.lower() == wanted]
    return [part.strip().lower() for part in b",".join(values).split(b",") if part.strip()]
