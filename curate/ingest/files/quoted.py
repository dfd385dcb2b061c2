"""Records of text whose fields may stand in quotes and then go over lines (RFC 4180)."""

import csv
from collections import deque
from collections.abc import Iterable, Iterator

from curate.contract.records import Fault
from curate.ingest.files.dialect import Dialect, is_url
from curate.ingest.files.faults import Place, record_fault
from curate.ingest.files.lines import Line

MAX_RECORD_LINES = 200
"""A quoted field may hold an answer with code in it; over more lines an unclosed quote is the likelier cause."""


class _SwallowedError(csv.Error):
    """A record takes in lines that are records themselves."""


class _Feed:
    """Gives lines to a csv reader and remembers those of the record under way, so that it can step back."""

    def __init__(self, lines: Iterable[Line | Fault], dialect: Dialect, width: int) -> None:
        self._lines = iter(lines)
        self._dialect = dialect
        self._again: deque[Line] = deque()
        self.width = width
        """Number of columns; 0 until the header has been read."""
        self.taken: list[Line] = []
        self.faults: list[Fault] = []

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        while isinstance(line, Fault):
            self.faults.append(line)
            line = next(self._lines)
        if self.taken:
            self._check_continuation(line)
        self.taken.append(line)
        return line.text + "\n"

    def step_back(self) -> None:
        """Give all lines of the record again but its first."""
        self._again.extendleft(reversed(self.taken[1:]))

    def check_middle(self) -> None:
        """Refuse a record of which every line between the first and the last would be a record by itself."""
        middle = [line.text for line in self.taken[1:-1] if line.text.strip()]
        if self.width > 1 and middle and all(map(self._has_all_columns, middle)):
            number = self.taken[1].place.number
            raise _SwallowedError(f"its quoted text takes in what looks like whole records, from line {number} on")

    def _check_continuation(self, line: Line) -> None:
        what = None
        if len(self.taken) >= MAX_RECORD_LINES:
            what = f"its quoted text is longer than {MAX_RECORD_LINES} lines"
        elif len(self.taken) == 1 and self._opens_too_early(self.taken[0].text):
            what = "its quoted text takes in a URL behind a delimiter"
        elif self._is_record(_quoted_part(line.text)):
            what = f"its quoted text takes in line {line.place.number}, which looks like a whole record"
        if what:
            self._again.appendleft(line)
            raise _SwallowedError(what)

    def _opens_too_early(self, first: str) -> bool:
        """Whether the text behind the last quote of a line is fields rather than the beginning of one."""
        before, _, behind = first.replace('""', "").rpartition('"')
        return self._is_record(behind, num_before=before.count(self._dialect.delimiter)) and (
            self._dialect.delimiter in behind
        )

    def _is_record(self, text: str, *, num_before: int = 0) -> bool:
        fields = text.split(self._dialect.delimiter)
        return len(fields) + num_before == self.width and any(map(is_url, fields))

    def _has_all_columns(self, text: str) -> bool:
        plain = text.replace('""', "")
        fields = plain.split(self._dialect.delimiter)
        is_prose = '"' in plain or any(field[:1].isspace() for field in fields)  # `a, b`; or a field ends here
        return len(fields) == self.width and not is_prose


def _quoted_part(text: str) -> str:
    """Return what a line that begins inside quotes has in front of the quote that closes them."""
    return text.replace('""', "").partition('"')[0]


def read_quoted(
    lines: Iterable[Line | Fault], *, dialect: Dialect, width: int = 0
) -> Iterator[tuple[Place, list[str]] | Fault]:
    """Yield the fields of each record and where it begins.

    A quote that is never closed, or only by a stray one further down, would swallow what lies between: its line becomes
    a fault and reading goes on with the next one. ``csv`` limits a field to 131,072 characters.

    Args:
        lines: The file's lines.
        dialect: How they are cut.
        width: Number of columns; 0: as many as the first record has.
    """
    feed = _Feed(lines, dialect, width)
    while True:
        feed.taken.clear()
        reader = csv.reader(feed, delimiter=dialect.delimiter, skipinitialspace=dialect.skips_blanks, strict=True)
        try:
            fields = next(reader, None)
            feed.check_middle()
        except csv.Error as error:
            yield from _take_faults(feed)
            yield record_fault(feed.taken[0].place, f"broken record: {error}")
            feed.step_back()
            continue
        yield from _take_faults(feed)
        if fields is None:
            return
        if fields:  # a blank line is no record
            feed.width = feed.width or len(fields)
            yield feed.taken[0].place, fields


def _take_faults(feed: _Feed) -> list[Fault]:
    faults, feed.faults = feed.faults, []
    return faults
