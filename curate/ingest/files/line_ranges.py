"""Lines of a part of a file: those that begin in a range of its bytes."""

import io
from collections.abc import Callable
from dataclasses import dataclass

from curate.ingest.files.lines import MAX_LINE_BYTES

_SKIP_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """What lies in a range."""

    num_lines: int
    """Or rows of a parquet file."""
    num_records: int
    """Documents and faults that a reader should make of them."""


class LineRange:
    """Gives the lines that begin in a range of bytes and, once told to, those behind it.

    Args:
        stream: Of plain bytes; it is moved to the first line.
        start: Of the range, anywhere in a line.
        end: Of the range, exclusive; None: the end of the file.
        number: Of the first line, from 1.
    """

    def __init__(self, stream: io.BufferedReader, *, start: int, end: int | None, number: int = 1) -> None:
        self.number = number
        """Of the line that comes next."""
        self._stream, self._end = stream, end
        self._is_within_line = start > 0
        self._position = stream.seek(max(0, start - 1))  # what ends right before the range is no part of it
        while self._is_within_line and self._take(_SKIP_BYTES):
            if end is not None and self._position >= end:  # a line fills the range, and many that follow maybe
                break
        self._is_within_line, self.number = False, number

    def readline(self, limit: int = -1, /) -> bytes:
        """Return the next line, or what its first ``limit`` bytes are; nothing where the range has no more."""
        is_over = self._end is not None and self._position >= self._end
        return b"" if is_over and not self._is_within_line else self._take(limit)

    def read_on(self) -> None:
        """Give the lines behind the range as well."""
        self._end = None

    def _take(self, limit: int) -> bytes:
        raw = self._stream.readline(limit)
        self._position += len(raw)
        self._is_within_line = not raw.endswith(b"\n")
        self.number += not self._is_within_line
        return raw


def count_records(lines: LineRange, is_record: Callable[[bytes], bool]) -> Counted:
    """Count the lines of a range.

    Args:
        lines: None of them taken yet.
        is_record: Says of a line, its end included, whether a reader makes something of it; longer ones than readers
            take are a fault each and always something.
    """
    first, num_records = lines.number, 0
    while raw := lines.readline(MAX_LINE_BYTES + 1):
        if len(raw) > MAX_LINE_BYTES:
            num_records += 1
            while raw and not raw.endswith(b"\n"):
                raw = lines.readline(MAX_LINE_BYTES)
            continue
        num_records += is_record(raw)
    return Counted(num_lines=lines.number - first, num_records=num_records)
