"""Lines of a byte stream, one at a time and never longer than a cap."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from curate.contract.records import Fault
from curate.ingest.files.faults import READ_ERRORS, Place, describe_error, file_fault, record_fault

MAX_LINE_BYTES = 16 << 20
"""An MMC4 record with its similarity matrix stays far below 1 MB; a line over 16 MiB is no record but damage."""

_UTF8_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One decoded line without its end."""

    place: Place
    text: str


class HasLines(Protocol):
    """A file, or a part of one."""

    def readline(self, limit: int = -1, /) -> bytes:
        """Return the next line, or what its first ``limit`` bytes are; nothing where there is none."""


def read_lines(
    stream: HasLines, *, label: str, max_bytes: int = MAX_LINE_BYTES, first_number: int = 1
) -> Iterator[Line | Fault]:
    """Yield the lines of ``stream``; an undecodable or overlong one is a fault and the next is read.

    Args:
        stream: Bytes, decompressed.
        label: Names the file in faults and ordinals.
        max_bytes: Longest line kept in memory.
        first_number: Of the first line, where ``stream`` begins within the file.

    Yields:
        Lines, numbered. If the stream breaks off, its last entry is a fault of the file.
    """
    number = first_number - 1
    while True:
        try:
            raw = stream.readline(max_bytes + 1)
            is_overlong = len(raw) > max_bytes
            while is_overlong and raw and not raw.endswith(b"\n"):
                raw = stream.readline(max_bytes)
        except READ_ERRORS as error:
            yield file_fault(label, f"reading stops here: {describe_error(error)}", number=number + 1)
            return
        if not raw and not is_overlong:
            return
        number += 1
        place = Place(label=label, number=number)
        yield record_fault(place, f"line is longer than {max_bytes} bytes") if is_overlong else _decode(raw, place)


def _decode(raw: bytes, place: Place) -> Line | Fault:
    raw = raw.removeprefix(_UTF8_BOM) if place.number == 1 else raw
    try:
        return Line(place=place, text=raw.decode("utf-8").rstrip("\r\n"))
    except UnicodeDecodeError as error:
        return record_fault(place, f"not UTF-8: byte 0x{raw[error.start]:02x} at column {error.start + 1}")
