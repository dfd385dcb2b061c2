"""Pages of WARC files (ISO 28500), as Common Crawl publishes them and crawlers write them, one at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType

from curate.contract.records import Fault
from curate.ingest.files.faults import READ_ERRORS, Place, describe_error, file_fault, record_fault

MAX_PAGE_BYTES = 64 << 20
"""Of a body that is kept in memory, as it was sent; a larger one is a fault."""
_PAGES = WarcRecordType.response | WarcRecordType.resource
_MAX_HEADER_BYTES = 64 << 10
_HTTP_OK = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchivedPage:
    """What a server once answered."""

    place: Place
    """Numbered from 1 over the responses of the file."""
    url: str
    """As asked for."""
    http_status: int
    headers: tuple[tuple[str, str], ...]
    """Of the answer."""
    body: bytes
    """As it was sent: codings are not undone, for what an answer says of them is often not so."""
    date: str | None
    """WARC-Date: when it was fetched."""
    digest: str | None
    """WARC-Payload-Digest."""
    record_id: str | None


def read_warc(stream: IO[bytes], *, label: str) -> Iterator[ArchivedPage | Fault]:
    """Yield the responses of a WARC file in order; records of other sorts are no pages and are passed over.

    Args:
        stream: Bytes, decompressed.
        label: Names the file in faults and ordinals.

    Yields:
        Pages, whatever their status. A record that is cut off or too large is a fault; if the file breaks off or is no
        WARC from some place on, its last entry is a fault of the file.
    """
    source, number = _Ending(stream), 0
    records = ArchiveIterator(
        source,  # type: ignore[arg-type]  # of a reader it only reads
        record_types=_PAGES,
        max_header_len=_MAX_HEADER_BYTES,
        stream_detect=False,
        strict_mode=False,
    )
    while True:
        try:
            record = next(records, None)
        except (*READ_ERRORS, ArithmeticError) as error:
            yield file_fault(label, f"reading stops here: {describe_error(error)}", number=number + 1)
            return
        if record is None:
            break
        number += 1
        yield _read_record(record, Place(label=label, number=number))
    if source.error is not None:
        yield file_fault(label, f"reading stops here: {describe_error(source.error)}", number=number + 1)
    elif not number:
        what = "no response in it" if source.num_bytes else "empty: no WARC record in it"
        yield file_fault(label, what)


def _read_record(record: WarcRecord, place: Place) -> ArchivedPage | Fault:
    url = record.headers.get("WARC-Target-URI")
    if not url:
        return record_fault(place, "a response without WARC-Target-URI")
    try:
        body = record.reader.read(MAX_PAGE_BYTES + 1)
    except READ_ERRORS as error:
        return record_fault(place, f"{url[:80]}: {describe_error(error)}")
    if len(body) > MAX_PAGE_BYTES:
        return record_fault(place, f"{url[:80]}: {record.content_length:,} bytes, more than {MAX_PAGE_BYTES:,}")
    truncated = record.headers.get("WARC-Truncated")
    if truncated or len(body) < record.content_length:
        why = truncated or f"{len(body)} bytes of {record.content_length}"
        return record_fault(place, f"{url[:80]}: cut off ({why})")
    headers = record.http_headers if record.is_http else None
    pairs = headers.to_tuples() if headers is not None else (("Content-Type", record.headers.get("Content-Type", "")),)
    return ArchivedPage(
        place=place,
        url=url.strip("<> "),  # WARC 1.0 writers put it in angle brackets
        http_status=_HTTP_OK if headers is None else headers.status_code or 0,
        headers=tuple((name, str(value)) for name, value in pairs),
        body=body,
        date=record.headers.get("WARC-Date"),
        digest=record.headers.get("WARC-Payload-Digest"),
        record_id=record.record_id,
    )


class _Ending:
    """Ends where its stream breaks off, and remembers why: what came before is still read."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._read = getattr(stream, "read1", stream.read)  # one piece at a time: a broken one must not hide the others
        self.error: BaseException | None = None
        self.num_bytes = 0

    def read(self, size: int = -1) -> bytes:
        if self.error is not None:
            return b""
        try:
            data: bytes = self._read(size)
        except READ_ERRORS as error:
            self.error = error
            return b""
        self.num_bytes += len(data)
        return data

    def tell(self) -> int:
        return self.num_bytes
