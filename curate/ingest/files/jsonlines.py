"""Rows of jsonl and txt files."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from curate.contract.records import Fault
from curate.ingest.files.faults import Place, file_fault, record_fault
from curate.ingest.files.lines import Line
from curate.ingest.files.row import Row, type_name

_BETWEEN_OBJECTS = ("", ",", "]")  # lines of an array that hold no object
_DECODER = json.JSONDecoder()
_VALUE_START = re.compile(r"[\s,]*(?=[^\s,])")
_RETURN_BEFORE_URL = re.compile(r"\r+(?=[A-Za-z][A-Za-z0-9+.-]*://)")


def read_json_lines(lines: Iterable[Line | Fault], *, label: str) -> Iterator[Row | Fault]:
    """Yield a row per JSON object; blank lines are skipped, other JSON is a fault, all objects of a line are read.

    A file that opens with a lone ``[`` is a JSON array with an object a line.
    """
    stream = iter(lines)
    for line in stream:
        if isinstance(line, Fault):
            yield line
        elif line.text.strip() == "[":
            yield from _read_array(stream, label=label)
            return
        elif line.text.strip():
            yield from _parse_objects(line.text, line.place)
            yield from read_objects(stream)
            return


def read_words(lines: Iterable[Line | Fault], *, columns: Sequence[str]) -> Iterator[Row | Fault]:
    """Yield a row per line of a txt file, cut at white space into at most ``len(columns)`` fields.

    Blank lines and lines that start with ``#`` are skipped. Columns that a line is too short for are missing. A URL
    behind a bare carriage return begins another record, as where files of old Macintosh programs were joined to others.
    """
    for line in lines:
        if isinstance(line, Fault):
            yield line
            continue
        for part, record in enumerate(_RETURN_BEFORE_URL.split(line.text), start=1):
            if (text := record.strip()) and not text.startswith("#"):
                fields = dict(zip(columns, text.split(None, len(columns) - 1), strict=False))
                yield Row(place=replace(line.place, part=part), fields=fields)


def read_objects(lines: Iterable[Line | Fault]) -> Iterator[Row | Fault]:
    """Yield a row per JSON object of lines that stand in no array; all objects of a line are read."""
    for line in lines:
        if isinstance(line, Fault):
            yield line
        elif line.text.strip():
            yield from _parse_objects(line.text, line.place)


def _read_array(lines: Iterable[Line | Fault], *, label: str) -> Iterator[Row | Fault]:
    number, is_open = 1, True
    for line in lines:
        if isinstance(line, Fault):
            yield line
            continue
        number = line.place.number
        text = line.text.strip()
        is_open = is_open and text != "]"
        if text not in _BETWEEN_OBJECTS:
            yield from _parse_objects(text.removeprefix(",").removesuffix(","), line.place)
    if is_open:
        yield file_fault(label, "the JSON array is not closed: the file ends early", number=number)


def _parse_objects(text: str, place: Place) -> Iterator[Row | Fault]:
    """Yield the rows of one line: usually of one object, else of all on it, with or without commas between them.

    A line on which anything else stands is a fault as a whole, which says what of it parses.
    """
    row = parse_object(text, place)
    listed, rest = _decode_all(text) if isinstance(row, Fault) else ([], "")
    if len(listed) > 1 and not rest and all(isinstance(each, dict) for each in listed):
        yield from (Row(place=replace(place, part=i), fields=each) for i, each in enumerate(listed, start=1))
    elif isinstance(row, Fault) and listed and rest.strip(" \t,"):
        yield replace(row, detail=f"{row.detail}; nothing of this line is taken, though {len(listed)} values parse")
    else:
        yield row


def _decode_all(text: str) -> tuple[list[Any], str]:
    """Return the values that stand one after the other, and what is left behind the last."""
    listed: list[Any] = []
    at = 0
    while found := _VALUE_START.match(text, at):
        try:
            value, at = _DECODER.raw_decode(text, found.end())
        except (ValueError, RecursionError):
            break
        listed.append(value)
    return listed, text[at:].strip()


def parse_object(text: str, place: Place) -> Row | Fault:
    """Return the row of one JSON object, or what is wrong with it."""
    try:
        fields = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"column {error.colno}" if error.lineno == 1 else f"line {error.lineno} column {error.colno} of it"
        return record_fault(place, f"malformed JSON: {error.msg} at {where}")
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; thousands of brackets
        return record_fault(place, f"JSON beyond limits: {type(error).__name__}")
    if not isinstance(fields, dict):
        return record_fault(place, f"expected a JSON object, got {type_name(fields)}")
    return Row(place=place, fields=fields)
