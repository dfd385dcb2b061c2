"""Documents of a pairs source: an image and its text."""

from curate.contract.reasons import IngestReason, Kind, Modality
from curate.contract.records import Document, Item
from curate.ingest.config import TEXT_COLUMNS, URL_COLUMNS, PairsSource
from curate.ingest.faults import RecordError
from curate.ingest.meta import keep_rest
from curate.ingest.row import Row, find_column, require_str, require_text
from curate.ingest.urls import resolve_url


def read_pair_row(row: Row, *, source: PairsSource) -> Document:
    """Return an image item followed by its text item.

    The text is the pair's caption and not an alt text beside a caption, so ``alt_text`` stays null.

    Raises:
        RecordError: A column is missing, the URL is empty (malformed_record), or so is the text (empty_document).
    """
    url_column = find_column(row, source.url_column, usual=URL_COLUMNS, what="image URL")
    value = row.fields[url_column]
    url = resolve_url(None, require_str("" if value is None else value, url_column))
    if not url:
        raise RecordError(f"{url_column} is empty")
    text_column = _find_text_column(row, source)
    text = require_text(row.fields[text_column], text_column)
    items = (Item(modality=Modality.IMAGE, image_url=url), Item(modality=Modality.TEXT, text=text))
    meta = keep_rest(row.fields, used=(url_column, text_column))
    return Document(native_id=url, ordinal=row.place.ordinal, kind=Kind.PAIR, meta=meta, items=items)


def word_columns(source: PairsSource) -> tuple[str, str]:
    """Return the names under which the URL and the text of a txt line are found."""
    return source.url_column or URL_COLUMNS[0], source.text_column or TEXT_COLUMNS[0]


def _find_text_column(row: Row, source: PairsSource) -> str:
    url_name, _ = word_columns(source)
    if set(row.fields) == {url_name} and not row.has_fixed_columns:
        raise RecordError("no text beside the URL", IngestReason.EMPTY_DOCUMENT)
    return find_column(row, source.text_column, usual=TEXT_COLUMNS, what="text")
