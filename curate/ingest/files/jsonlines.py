"""Rows of jsonl and txt files."""

import json
from collections.abc import Iterable, Iterator, Sequence

from curate.contract.records import Fault
from curate.ingest.files.faults import file_fault, record_fault
from curate.ingest.files.lines import Line
from curate.ingest.files.row import Row, type_name

_BETWEEN_OBJECTS = ("", ",", "]")  # lines of an array that hold no object


def read_json_lines(lines: Iterable[Line | Fault], *, label: str) -> Iterator[Row | Fault]:
    """Yield a row per JSON object; blank lines are skipped, other JSON is a fault.

    A file that opens with a lone ``[`` is a JSON array. With an object a line it is read like JSON Lines; spread
    otherwise over its lines, it is one fault instead of one per line.
    """
    stream = iter(lines)
    for line in stream:
        if isinstance(line, Fault):
            yield line
        elif line.text.strip() == "[":
            yield from _read_array(stream, label=label)
            return
        elif line.text.strip():
            yield _parse(line)
            yield from _read_objects(stream)
            return


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


def _read_objects(lines: Iterable[Line | Fault]) -> Iterator[Row | Fault]:
    for line in lines:
        if isinstance(line, Fault):
            yield line
        elif line.text.strip():
            yield _parse(line)


def _read_array(lines: Iterable[Line | Fault], *, label: str) -> Iterator[Row | Fault]:
    is_first = True
    for line in lines:
        if isinstance(line, Fault):
            yield line
            continue
        text = line.text.strip()
        if text in _BETWEEN_OBJECTS:
            continue
        row = _parse(Line(place=line.place, text=text.removesuffix(",")))
        if is_first and isinstance(row, Fault):
            what = "a JSON array, but not an object a line (convert it: jq -c '.[]')"
            yield file_fault(label, what, number=line.place.number)
            return
        is_first = False
        yield row


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
