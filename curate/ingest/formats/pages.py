"""Documents of a pages source."""

from curate.contract.reasons import Kind
from curate.contract.records import Document
from curate.ingest.config import URL_COLUMNS, PagesSource
from curate.ingest.files.faults import RecordError
from curate.ingest.files.row import Row, find_column, require_str
from curate.ingest.formats.meta import keep_rest


def read_page_row(row: Row, *, source: PagesSource) -> Document:
    """Return the document of one page URL; its items come from its HTML later.

    Raises:
        RecordError: No URL column, or no URL in it. Whether a URL can be fetched is for fetching to say.
    """
    column = find_column(row, source.url_column, usual=URL_COLUMNS, what="page URL")
    value = row.fields[column]
    url = require_str("" if value is None else value, column).strip()
    if not url:
        raise RecordError(f"{column} is empty")
    meta = keep_rest(row.fields, used=(column,))
    return Document(native_id=url, ordinal=row.place.ordinal, kind=Kind.INTERLEAVED, url=url, meta=meta)
