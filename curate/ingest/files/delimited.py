"""Rows of csv and tsv files."""

import csv
from collections import deque
from collections.abc import Iterable, Iterator

from curate.contract.records import Fault
from curate.ingest.files.faults import file_fault, record_fault
from curate.ingest.files.lines import Line
from curate.ingest.files.row import Row


class _Feed:
    """Gives lines to a csv reader and remembers those of the record under way, so that it can step back."""

    def __init__(self, lines: Iterable[Line | Fault]) -> None:
        self._lines = iter(lines)
        self._again: deque[Line] = deque()
        self.taken: list[Line] = []
        self.faults: list[Fault] = []

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        while isinstance(line, Fault):
            self.faults.append(line)
            line = next(self._lines)
        self.taken.append(line)
        return line.text + "\n"

    def step_back(self) -> None:
        """Give all lines of the record again but its first."""
        self._again.extendleft(reversed(self.taken[1:]))


def read_delimited(lines: Iterable[Line | Fault], *, label: str, delimiter: str) -> Iterator[Row | Fault]:
    """Yield a row per record (RFC 4180 quoting, also for tsv); the first names the columns.

    A quote that is never closed would swallow what follows: its line becomes a fault and reading goes on with the
    next one. ``csv`` limits a field to 131,072 characters, which bounds how far such a quote reaches.

    Args:
        lines: The file's lines.
        label: Names the file.
        delimiter: One character.
    """
    feed = _Feed(lines)
    header: list[str] | None = None
    has_faults = False
    for fields in _read_records(feed, delimiter):
        if isinstance(fields, Fault):
            has_faults = True
            yield fields
        elif header is None:
            header = fields
        elif len(fields) != len(header):
            what = f"{len(fields)} fields, but the header names {len(header)} columns"
            yield record_fault(feed.taken[0].place, what)
        else:
            yield Row(place=feed.taken[0].place, fields=dict(zip(header, fields, strict=True)), has_fixed_columns=True)
    if header is None and not has_faults:
        yield file_fault(label, "empty: expected a header line with column names")


def _read_records(feed: _Feed, delimiter: str) -> Iterator[list[str] | Fault]:
    while True:
        feed.taken.clear()
        try:
            fields = next(csv.reader(feed, delimiter=delimiter, strict=True), None)
        except csv.Error as error:
            yield from _take_faults(feed)
            yield record_fault(feed.taken[0].place, f"broken record: {error}")
            feed.step_back()
            continue
        yield from _take_faults(feed)
        if fields is None:
            return
        if fields:  # a blank line is no record
            yield fields


def _take_faults(feed: _Feed) -> list[Fault]:
    faults, feed.faults = feed.faults, []
    return faults
