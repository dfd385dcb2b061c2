"""Documents of a pairs source: an image and its text."""

import re

from curate.contract.reasons import IngestReason, Kind, Modality
from curate.contract.records import Document, Item
from curate.ingest.config import HASH_COLUMNS, TEXT_COLUMNS, URL_COLUMNS, PairsSource
from curate.ingest.files.faults import RecordError
from curate.ingest.files.row import Row, find_column, require_str, require_text
from curate.ingest.formats.meta import keep_rest
from curate.ingest.urls import resolve_url

_SHA256 = re.compile("[0-9a-f]{64}")


def read_pair_row(row: Row, *, source: PairsSource) -> Document:
    """Return an image item followed by its text item.

    The text is the pair's caption and not an alt text beside a caption, so ``alt_text`` stays null.

    Raises:
        RecordError: A column is missing, the URL is empty or the hash is none (malformed_record), or the text is empty
            (empty_document).
    """
    url_column = find_column(row, source.url_column, usual=URL_COLUMNS, what="image URL")
    value = row.fields[url_column]
    url = resolve_url(None, require_str("" if value is None else value, url_column))
    if not url:
        raise RecordError(f"{url_column} is empty")
    text_column = _find_text_column(row, source)
    text = require_text(row.fields[text_column], text_column)
    image = Item(modality=Modality.IMAGE, image_url=url, expected_sha256=_expected_sha256(row, source))
    items = (image, Item(modality=Modality.TEXT, text=text))
    meta = keep_rest(row.fields, used=(url_column, text_column))
    return Document(native_id=url, ordinal=row.place.ordinal, kind=Kind.PAIR, meta=meta, items=items)


def word_columns(source: PairsSource) -> tuple[str, str]:
    """Return the names under which the URL and the text of a txt line are found."""
    return source.url_column or URL_COLUMNS[0], source.text_column or TEXT_COLUMNS[0]


def _expected_sha256(row: Row, source: PairsSource) -> str | None:
    """Return the promised hash; a column that the recipe does not name is believed only where it looks like one."""
    if source.sha256_column is None:
        values = (row.fields.get(name) for name in HASH_COLUMNS)
        return next((value.lower() for value in values if isinstance(value, str) and _is_sha256(value)), None)
    value = row.fields[find_column(row, source.sha256_column, usual=(), what="image hash")]
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not _is_sha256(value):
        raise RecordError(f"{source.sha256_column} must be 64 hex digits")
    return value.lower()


def _is_sha256(text: str) -> bool:
    return _SHA256.fullmatch(text.lower()) is not None


def _find_text_column(row: Row, source: PairsSource) -> str:
    url_name, _ = word_columns(source)
    if set(row.fields) == {url_name} and not row.has_fixed_columns:
        raise RecordError("no text beside the URL", IngestReason.EMPTY_DOCUMENT)
    return find_column(row, source.text_column, usual=TEXT_COLUMNS, what="text")
