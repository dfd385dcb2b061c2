"""JSON objects wherever lines break: arrays on one line or many, objects printed over several lines."""

import json
import re
from collections.abc import Iterator
from typing import IO

from curate.contract.records import Fault
from curate.ingest.files.faults import READ_ERRORS, Place, describe_error, file_fault, record_fault
from curate.ingest.files.jsonlines import parse_object
from curate.ingest.files.lines import MAX_LINE_BYTES
from curate.ingest.files.row import Row

_CHUNK_BYTES = 64 << 10
_MARKS = re.compile(rb'"(?:[^"\\\n]++|\\[^\n])*+"|["\[\]{}]')  # a whole string where it ends in sight
_STRING_MARKS = re.compile(rb'["\\\n]')
_START = re.compile(rb"[^\s,:]")
_SCALAR_END = re.compile(rb"[\s,\[\]{}]")
_CLOSING = b"]}"


def has_spread_values(head: bytes) -> bool:
    """Whether JSON that begins so is to be read by values and not by lines.

    By lines: an object a line, also within an array, where a damaged one costs nothing but its line; and an array a
    line, which is none of the records that are read here and a fault each.
    """
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    first, has_more, rest = text.partition(b"\n")
    first = first.rstrip()
    if first == b"[":
        second = next((line.strip() for line in rest.split(b"\n") if line.strip()), b"")
        return not _is_json(second.removesuffix(b","), dict) and second != b"]"
    if first.startswith(b"["):
        is_line = bool(has_more and rest.strip()) and _is_json(first, list)
        return not is_line and not re.match(rb"\[\s*\[", first)
    after = rest.lstrip()[:1]  # the next line of JSON Lines begins with a bracket, also after a damaged one
    return first == b"{" or (first.startswith(b"{") and after not in {b"", b"{"} and not _is_json(first, dict))


def read_json_values(stream: IO[bytes], *, label: str, max_bytes: int = MAX_LINE_BYTES) -> Iterator[Row | Fault]:
    """Yield a row per object, of an array or one after the other; other values are faults.

    A string cannot hold a line break, so one that is never closed ends with its line.

    Args:
        stream: UTF-8 with line feeds.
        label: Names the file.
        max_bytes: Longest object kept in memory.
    """
    scanner = ValueScanner(label, max_bytes)
    try:
        while chunk := stream.read(_CHUNK_BYTES):
            yield from scanner.feed(chunk)
    except READ_ERRORS as error:
        yield file_fault(label, f"reading stops here: {describe_error(error)}", number=scanner.line)
        return
    yield from scanner.finish()


class ValueScanner:
    """Cuts bytes into the values of the outermost arrays."""

    def __init__(self, label: str, max_bytes: int) -> None:
        self._label, self._max_bytes = label, max_bytes
        self.line = 1
        """Of the byte under way."""
        self._value = bytearray()
        self._place: Place | None = None  # of the value under way
        self._last_place = Place(label=label, number=0)
        self._num_open_arrays = 0
        self._depth = 0
        self._is_scalar = self._in_string = self._is_escaped = self._is_overlong = False

    def feed(self, chunk: bytes) -> Iterator[Row | Fault]:
        """Yield the values that end in ``chunk``."""
        if self._last_place.number == 0 and self._place is None:
            chunk = chunk.removeprefix(b"\xef\xbb\xbf")
        at = 0
        while at < len(chunk):
            if self._place is None:
                at = self._skip(chunk, at)
                continue
            at = self._take(chunk, at)
            if self._depth == 0 and not self._is_scalar and not self._in_string:
                yield self._end_value()

    def finish(self) -> Iterator[Row | Fault]:
        """Yield what the end of the file leaves."""
        if self._place is not None and self._is_scalar and not self._in_string:
            yield self._end_value()
        elif self._place is not None:
            yield record_fault(self._place, "malformed JSON: the file ends within the value that begins here")
        if self._num_open_arrays:
            yield file_fault(self._label, "the JSON array is not closed: the file ends early", number=self.line)

    def _skip(self, chunk: bytes, at: int) -> int:
        """Return where the next value begins, or what lies behind a bracket of the outermost arrays."""
        found = _START.search(chunk, at)
        end = found.start() if found else len(chunk)
        self.line += chunk.count(b"\n", at, end)
        if found is None:
            return end
        letter = found[0]
        if letter == b"[" and not self._num_open_arrays:
            self._num_open_arrays = 1
            return end + 1
        if letter == b"]" and self._num_open_arrays:
            self._num_open_arrays = 0
            return end + 1
        self._begin_value(letter)
        return end

    def _begin_value(self, letter: bytes) -> None:
        part = self._last_place.part + 1 if self._last_place.number == self.line else 1
        self._place = self._last_place = Place(label=self._label, number=self.line, part=part)
        self._value.clear()
        self._is_overlong = False
        self._is_scalar = letter not in b"[{"

    def _take(self, chunk: bytes, at: int) -> int:
        """Take bytes into the value under way up to the next mark, and return where that ends."""
        if self._is_escaped:
            self._is_escaped = False
            return self._keep(chunk, at, at + 1)
        if self._is_scalar and not self._in_string:
            return self._take_scalar(chunk, at)
        found = (_STRING_MARKS if self._in_string else _MARKS).search(chunk, at)
        if found is None:
            return self._keep(chunk, at, len(chunk))
        mark, end = found[0], found.end()
        if mark == b"\\":
            self._is_escaped = True
        elif mark in {b'"', b"\n"}:
            self._in_string = not self._in_string
        elif len(mark) == 1:
            self._depth += -1 if mark in _CLOSING else 1
        return self._keep(chunk, at, end)

    def _take_scalar(self, chunk: bytes, at: int) -> int:
        if not self._value and chunk[at : at + 1] == b'"':
            self._in_string = True
            return self._keep(chunk, at, at + 1)
        found = _SCALAR_END.search(chunk, at if self._value else at + 1)
        end = found.start() if found else len(chunk)
        self._is_scalar = found is None  # at a delimiter the value is whole
        return self._keep(chunk, at, end)

    def _keep(self, chunk: bytes, start: int, end: int) -> int:
        self.line += chunk.count(b"\n", start, end)
        self._is_overlong = self._is_overlong or len(self._value) + end - start > self._max_bytes
        if self._is_overlong:
            self._value.clear()
        else:
            self._value += chunk[start:end]
        return end

    def _end_value(self) -> Row | Fault:
        place, self._place = self._place, None
        assert place is not None  # noqa: S101  # for the type checker; callers have looked
        self._depth, self._is_scalar = 0, False
        if self._is_overlong:
            return record_fault(place, f"value is longer than {self._max_bytes} bytes")
        try:
            return parse_object(self._value.decode(), place)
        except UnicodeDecodeError as error:
            return record_fault(place, f"not UTF-8: byte 0x{self._value[error.start]:02x}")


def _is_json(text: bytes, kind: type) -> bool:
    try:
        return isinstance(json.loads(text), kind)
    except (ValueError, RecursionError):
        return False
