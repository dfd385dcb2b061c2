"""One page once: later records of a page in a file give way to the first."""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TypeVar

from curate.contract.reasons import IngestReason
from curate.contract.records import Document, Fault
from curate.ingest.config import SamePage
from curate.ingest.files.warc import ArchivedPage
from curate.ingest.urls import page_key

MAX_REMEMBERED = 1_000_000
"""Pages of a file, the latest: about 100 MB. One that comes again after more than these is taken again."""

_SUCCESS = range(200, 300)
_KEY_BYTES = 8
_SHOWN_CHARS = 200

Page = TypeVar("Page", Document, ArchivedPage)


def drop_repeats(
    records: Iterable[Page | Fault], *, by: SamePage | None, num_remembered: int = MAX_REMEMBERED
) -> Iterator[Page | Fault]:
    """Yield records with a fault in the place of each page that has come before.

    Args:
        records: Of one file, in order.
        by: What makes two URLs one page; None lets all pass.
        num_remembered: Pages that are remembered.
    """
    if by is None:
        yield from records
        return
    order, seen = deque[int](), set[int]()
    for record in records:
        if isinstance(record, Fault) or not record.url or not _may_stand(record):
            yield record
            continue
        key = page_key(record.url, without_tracking=by == "tracking")
        mark = int.from_bytes(hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=_KEY_BYTES).digest())
        if mark in seen:
            yield _repeat(record, key)
            continue
        seen.add(mark)
        order.append(mark)
        if len(order) > num_remembered:
            seen.remove(order.popleft())
        yield record


def _may_stand(record: Document | ArchivedPage) -> bool:
    """Return whether others give way to it: an archived redirect or error leaves its place to the page itself."""
    return isinstance(record, Document) or record.http_status in _SUCCESS


def _repeat(record: Document | ArchivedPage, key: str) -> Fault:
    ordinal = record.ordinal if isinstance(record, Document) else record.place.ordinal
    detail = f"{':'.join(ordinal.rsplit('#', 1))}: a page that has come before: {key[:_SHOWN_CHARS]}"
    return Fault(ordinal=ordinal, reason=IngestReason.REPEATED_PAGE, detail=detail)
