"""What the readers say about input that they cannot read."""

import lzma
import zipfile
import zlib
from dataclasses import dataclass

import pyarrow as pa
import zstandard

from curate.contract.reasons import IngestReason
from curate.contract.records import Fault

READ_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    ImportError,
    zlib.error,
    lzma.LZMAError,
    zstandard.ZstdError,
    zipfile.BadZipFile,
    pa.ArrowException,
)
"""All that opening or reading a damaged file raises: gzip ends early with EOFError, an encrypted or exotic zip is a
RuntimeError, an unknown protocol a ValueError, a protocol without its package an ImportError."""

_DETAIL_MAX_CHARS = 300


class RecordError(Exception):
    """A record that cannot become a document; never leaves this package."""

    def __init__(self, what: str, reason: IngestReason = IngestReason.MALFORMED_RECORD) -> None:
        super().__init__(what, reason)
        self.what, self.reason = what, reason


class ColumnError(RecordError):
    """A record lacks the column that holds its URL or text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a record stands."""

    label: str
    """The file, and the member after a slash where it is a zip."""
    number: int
    """From 1: the line, or the row of a parquet file."""
    part: int = 1
    """Which of the records that begin on that line, from 1."""

    @property
    def ordinal(self) -> str:
        """What keeps equal records apart in doc_id."""
        return f"{self.label}#{self.number}" + (f".{self.part}" if self.part > 1 else "")


def record_fault(place: Place, what: str, reason: IngestReason = IngestReason.MALFORMED_RECORD) -> Fault:
    """Return the fault of one record: ``file:line: what is wrong``."""
    return Fault(ordinal=place.ordinal, reason=reason, detail=_clip(f"{place.label}:{place.number}: {what}"))


def file_fault(label: str, what: str, *, number: int | None = None) -> Fault:
    """Return the fault of a file that cannot be read, or not beyond line or row ``number``."""
    where = label if number is None else f"{label}:{number}"
    return Fault(ordinal=label, reason=IngestReason.UNREADABLE_FILE, detail=_clip(f"{where}: {what}"))


def missing_fault(label: str) -> Fault:
    """Return the fault of a path that names no file."""
    return Fault(ordinal=label, reason=IngestReason.MISSING_FILE, detail=_clip(f"{label}: no such file"))


def describe_error(error: BaseException) -> str:
    """Return an exception as one line."""
    # An OSError's own text repeats the machine's path; what went wrong is in strerror.
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()) or type(error).__name__


def _clip(text: str) -> str:
    return text if len(text) <= _DETAIL_MAX_CHARS else text[: _DETAIL_MAX_CHARS - 1] + "…"
