"""Rows of jsonl and txt files."""

import json
from collections.abc import Iterable, Iterator, Sequence

from curate.contract.records import Fault
from curate.ingest.faults import file_fault, record_fault
from curate.ingest.lines import Line
from curate.ingest.row import Row, type_name


def read_json_lines(lines: Iterable[Line | Fault], *, label: str) -> Iterator[Row | Fault]:
    """Yield a row per JSON object; blank lines are skipped, other JSON is a fault.

    A file that opens with a lone ``[`` is one JSON array over many lines: one fault says so instead of one per line.
    """
    is_first = True
    for line in lines:
        if isinstance(line, Fault):
            yield line
        elif is_first and line.text.strip() == "[":
            yield file_fault(label, "a JSON array, not JSON Lines (convert it: jq -c '.[]')", number=line.place.number)
            return
        elif line.text.strip():
            is_first = False
            yield _parse(line)


def read_words(lines: Iterable[Line | Fault], *, columns: Sequence[str]) -> Iterator[Row | Fault]:
    """Yield a row per line of a txt file, cut at white space into at most ``len(columns)`` fields.

    Blank lines and lines that start with ``#`` are skipped. Columns that a line is too short for are missing.
    """
    for line in lines:
        if isinstance(line, Fault):
            yield line
        elif (text := line.text.strip()) and not text.startswith("#"):
            fields = text.split(None, len(columns) - 1)
            yield Row(place=line.place, fields=dict(zip(columns, fields, strict=False)))


def _parse(line: Line) -> Row | Fault:
    try:
        fields = json.loads(line.text)
    except json.JSONDecodeError as error:
        return record_fault(line.place, f"malformed JSON: {error.msg} at column {error.colno}")
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; thousands of brackets
        return record_fault(line.place, f"JSON beyond limits: {type(error).__name__}")
    if not isinstance(fields, dict):
        return record_fault(line.place, f"expected a JSON object, got {type_name(fields)}")
    return Row(place=line.place, fields=fields)
