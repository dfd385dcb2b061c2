"""Arrays within one large JSON object, as COCO has them, an element at a time."""

import io
import re
from collections.abc import Collection, Iterator

from curate.contract.records import Fault
from curate.ingest.files.faults import READ_ERRORS, describe_error, file_fault
from curate.ingest.files.json_values import ValueScanner
from curate.ingest.files.lines import MAX_LINE_BYTES
from curate.ingest.files.row import Row

_CHUNK_BYTES = 64 << 10
_MARKS = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["\[\]{}]', re.DOTALL)  # a whole string where it ends in sight
_STRING_MARKS = re.compile(rb'["\\]')
_MAX_KEY_BYTES = 256
_COLON_AHEAD = re.compile(rb"\s*:")
_OBJECT_AHEAD = re.compile(rb"\s*\{")


def has_sections(head: bytes, sections: Collection[str], *, others: Collection[str]) -> bool:
    """Return whether JSON that begins so is one object with arrays of objects under given keys.

    Args:
        head: The first bytes.
        sections: The keys: all of them, or one of them in an object that goes on behind ``head``.
        others: Keys that such an object does not have.
    """
    if not re.match(rb"(?:\xef\xbb\xbf)?\s*\{", head):
        return False
    finder = _Finder()
    finder.feed(head)
    names = {key.decode(errors="replace") for key in finder.arrays}
    if any(key.decode(errors="replace").casefold() in others for key in finder.keys):
        return False
    return names >= set(sections) or (finder.depth > 0 and not names.isdisjoint(sections))


def read_section(
    stream: io.BufferedReader, section: str, *, label: str, max_bytes: int = MAX_LINE_BYTES
) -> Iterator[Row | Fault]:
    """Yield a row per object of the array under one key of an object; what stands under other keys is passed over.

    Args:
        stream: UTF-8; read from its start, however often.
        section: The key.
        label: Names the section in faults and ordinals.
        max_bytes: Longest element kept in memory.
    """
    finder, scanner = _Finder(section.encode()), ValueScanner(label, max_bytes)
    try:
        stream.seek(0)
        while chunk := stream.read(_CHUNK_BYTES):
            for start, end in finder.feed(chunk):
                scanner.line = finder.line + chunk.count(b"\n", 0, start)
                yield from scanner.feed(chunk[start:end])
            finder.line += chunk.count(b"\n")
    except READ_ERRORS as error:
        yield file_fault(label, f"reading stops here: {describe_error(error)}", number=finder.line)
        return
    yield from scanner.finish()
    if not finder.num_found:
        yield file_fault(label, "there is no such array")


class _Finder:
    """Finds arrays that stand directly in the outermost object."""

    def __init__(self, section: bytes | None = None) -> None:
        self._section = section
        self.line = 1
        """Of the first byte of the chunk under way."""
        self.depth = 0
        self.keys: set[bytes] = set()
        """Of the object, where no section is looked for."""
        self.arrays: set[bytes] = set()
        """Those under which an array of objects stands."""
        self.num_found = 0
        self._is_within = self._in_string = self._is_escaped = False
        self._string = b""

    def feed(self, chunk: bytes) -> list[tuple[int, int]]:
        """Return what of a chunk stands in the section, brackets included."""
        spans: list[tuple[int, int]] = []
        start, at = 0, 0
        while at < len(chunk):
            was_within = self._is_within
            at, mark_at = self._advance(chunk, at)
            if self._is_within and not was_within:
                start = mark_at
            elif was_within and not self._is_within:
                spans.append((start, at))
        return [*spans, (start, len(chunk))] if self._is_within else spans

    def _advance(self, chunk: bytes, at: int) -> tuple[int, int]:
        """Go behind the next mark, and return where that is and where the mark begins."""
        if self._is_escaped:
            self._is_escaped = False
            return at + 1, at
        found = (_STRING_MARKS if self._in_string else _MARKS).search(chunk, at)
        if found is None:
            self._keep(chunk[at:])
            return len(chunk), len(chunk)
        mark = found[0]
        if self._in_string:
            self._keep(chunk[at : found.start()])
            self._is_escaped, self._in_string = mark == b"\\", mark == b"\\"
        elif len(mark) > 1:
            self._string = mark[1:-1][:_MAX_KEY_BYTES]
            if self.depth == 1 and self._section is None and _COLON_AHEAD.match(chunk, found.end()):
                self.keys.add(self._string)
        elif mark == b'"':
            self._in_string, self._string = True, b""
        elif mark in b"[{":
            self._open(mark, _OBJECT_AHEAD.match(chunk, found.end()) is not None)
        else:
            self.depth -= 1
            self._is_within = self._is_within and self.depth > 1
        return found.end(), found.start()

    def _keep(self, part: bytes) -> None:
        if self._in_string and self.depth == 1 and len(self._string) < _MAX_KEY_BYTES:
            self._string = (self._string + part)[:_MAX_KEY_BYTES]

    def _open(self, mark: bytes, is_of_objects: bool) -> None:  # noqa: FBT001
        if self.depth == 1 and self._section is None and mark == b"[" and is_of_objects:
            self.arrays.add(self._string)
        if self.depth == 1 and mark == b"[" and self._string == self._section:
            self._is_within = True
            self.num_found += 1
        self.depth += 1
