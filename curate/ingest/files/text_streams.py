"""Text in the shape that the readers expect: UTF-8 with line feeds, made on the way from what a file holds."""

import codecs
import io
import re

_LINE_END = re.compile(rb"\r*\n|\r+(?!\r|\n|\Z)")
_WIDE_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def is_plain(head: bytes) -> bool:
    """Say whether text that begins so is taken as it is: lines end where its bytes have a line feed."""
    return not any(head.startswith(mark) for mark, _ in _WIDE_MARKS) and not _ends_in_return(head)


def as_text(stream: io.BufferedReader) -> io.BufferedReader:
    """Return ``stream`` as UTF-8 lines that end in a line feed.

    A byte order mark tells UTF-16 and UTF-32. Where the first line ends in a bare carriage return, as old Macintosh
    programs write it, each one ends a line; elsewhere it is white space within its line.
    """
    head = stream.peek()
    encoding = next((name for mark, name in _WIDE_MARKS if head.startswith(mark)), None)
    if encoding is not None:
        stream = io.BufferedReader(_Utf8(stream, encoding))
        head = stream.peek()
    return io.BufferedReader(_LineFeeds(stream)) if _ends_in_return(head) else stream


def _ends_in_return(head: bytes) -> bool:
    first = _LINE_END.search(head)
    return first is not None and first[0].endswith(b"\r")


class _LineFeeds(io.RawIOBase):
    """Bytes with a line feed for each carriage return and each pair of both."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self._after_return = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview[int]", /) -> int:  # type: ignore[override]  # of the two types it may be
        while data := self._stream.read1(len(buffer)):
            unified = data[1:] if self._after_return and data[:1] == b"\n" else data
            self._after_return = data.endswith(b"\r")
            unified = unified.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            if unified:
                buffer[: len(unified)] = unified
                return len(unified)
        return 0


class _Utf8(io.RawIOBase):
    """Text of another encoding as UTF-8."""

    def __init__(self, stream: io.BufferedReader, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview[int]", /) -> int:  # type: ignore[override]  # of the two types it may be
        while data := self._stream.read1(len(buffer) // 2):  # two bytes become three at most
            if text := self._decoder.decode(data).encode():
                buffer[: len(text)] = text
                return len(text)
        self._decoder.decode(b"", final=True)
        return 0
