"""Documents of a pages source."""

from curate.contract.reasons import Kind
from curate.contract.records import Document
from curate.ingest.config import PAGE_URL_COLUMNS, PagesSource
from curate.ingest.files.faults import RecordError
from curate.ingest.files.row import Row, drop_field, find_field, require_str
from curate.ingest.formats.meta import keep_rest


def read_page_row(row: Row, *, source: PagesSource) -> Document:
    """Return the document of one page URL; its items come from its HTML later.

    Raises:
        RecordError: No URL column, or no URL in it. Whether a URL can be fetched is for fetching to say.
    """
    found = find_field(row, source.url_column, usual=PAGE_URL_COLUMNS, what="page URL")
    url = require_str("" if found.value is None else found.value, found.name).strip()
    if not url:
        raise RecordError(f"{found.name} is empty")
    meta = keep_rest(drop_field(row.fields, found.path), used=())
    return Document(native_id=url, ordinal=row.place.ordinal, kind=Kind.INTERLEAVED, url=url, meta=meta)
