"""Documents of a pairs source: an image and its text."""

import re

from curate.contract.reasons import IngestReason, Kind, Modality
from curate.contract.records import Document, Item
from curate.ingest.config import HASH_COLUMNS, TEXT_COLUMNS, URL_COLUMNS, PairsSource
from curate.ingest.files.coco import CocoLayout
from curate.ingest.files.faults import ColumnError, RecordError
from curate.ingest.files.row import Found, Row, drop_field, find_field, require_str, require_text
from curate.ingest.formats.held_images import HELD, find_held_image, names_image_column
from curate.ingest.formats.meta import keep_rest
from curate.ingest.formats.picture_addresses import picture_address

_SHA256 = re.compile("[0-9a-f]{64}")


def read_pair_row(row: Row, *, source: PairsSource) -> list[Document]:
    """Return an image item, with its bytes where the row holds them, and its text item.

    Where a row lists captions, there is a document for each or for the first.

    The text is the pair's caption and not an alt text beside a caption, so ``alt_text`` stays null. Blank captions of a
    list make no document.

    Raises:
        RecordError: A column is missing, the URL is empty or the hash is none (malformed_record), or the text is empty
            (empty_document).
    """
    held = find_held_image(row, source.image_column)
    found = _find_url(row, source, is_needed=held is None)
    named = require_str("" if found is None or found.value is None else found.value, "the URL")
    url = picture_address(named, page=None, source=source) if named.strip() else ""
    if not url and held is None:
        raise RecordError(f"{found.name if found is not None else 'the URL'} is empty")
    caption = _find_text(row, source)
    texts = _read_captions(caption, source)
    rest = row.fields
    for path in (None if found is None else found.path, caption.path, None if held is None else held.path):
        rest = drop_field(rest, path) if path is not None and path[0] in rest else rest
    meta = keep_rest(rest, used=())
    image = Item(
        modality=Modality.IMAGE,
        image_url=url or f"{HELD}{row.place.ordinal}",
        image_bytes=None if held is None else held.data,
        expected_sha256=_expected_sha256(row, source),
    )
    return [
        Document(
            native_id=url or image.image_url or "",
            ordinal=row.place.ordinal + (f"/{number}" if number > 1 else ""),
            kind=Kind.PAIR,
            meta=meta,
            items=(image, Item(modality=Modality.TEXT, text=text)),
        )
        for number, text in enumerate(texts, start=1)
    ]


def _find_url(row: Row, source: PairsSource, *, is_needed: bool) -> Found | None:
    """Return the URL; a row that holds its image needs none."""
    try:
        return find_field(row, source.url_column, usual=URL_COLUMNS, what="image URL")
    except ColumnError:
        if is_needed and source.url_column is None and names_image_column(row):
            raise RecordError("neither an image in the row nor a URL") from None
        if is_needed or source.url_column is not None:
            raise
        return None


def _read_captions(caption: Found, source: PairsSource) -> list[str]:
    if not isinstance(caption.value, list):
        return [require_text(caption.value, caption.name)]
    listed = [require_str("" if text is None else text, caption.name).strip() for text in caption.value]
    texts = [text for text in listed if text]
    if not texts:
        raise RecordError(f"{caption.name} is empty", IngestReason.EMPTY_DOCUMENT)
    return texts[:1] if source.captions == "first" else texts


def word_columns(source: PairsSource) -> tuple[str, str]:
    """Return the names under which the URL and the text of a txt line are found."""
    return source.url_column or URL_COLUMNS[0], source.text_column or TEXT_COLUMNS[0]


def coco_layout(source: PairsSource) -> CocoLayout:
    """Return how captions in the shape of COCO become rows: by a root images are files, else they have addresses."""
    keys: tuple[str, ...] = ("coco_url", "flickr_url", *URL_COLUMNS, "file_name")
    if source.image_root is not None:
        keys = ("file_name",)
    return CocoLayout(
        address_keys=keys if source.url_column is None else (source.url_column,),
        address_column=source.url_column or URL_COLUMNS[0],
        other_keys=frozenset({*URL_COLUMNS, *TEXT_COLUMNS}),
        first_only=source.captions == "first",
    )


def _expected_sha256(row: Row, source: PairsSource) -> str | None:
    """Return the promised hash; a column that the recipe does not name is believed only where it looks like one."""
    if source.sha256_column is None:
        values = (row.fields.get(name) for name in HASH_COLUMNS)
        return next((value.lower() for value in values if isinstance(value, str) and _is_sha256(value)), None)
    value = find_field(row, source.sha256_column, usual=(), what="image hash").value
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not _is_sha256(value):
        raise RecordError(f"{source.sha256_column} must be 64 hex digits")
    return value.lower()


def _is_sha256(text: str) -> bool:
    return _SHA256.fullmatch(text.lower()) is not None


def _find_text(row: Row, source: PairsSource) -> Found:
    url_name = source.columns[0] if source.columns else word_columns(source)[0]
    if set(row.fields) == {url_name} and not row.has_fixed_columns:
        raise RecordError("no text beside the URL", IngestReason.EMPTY_DOCUMENT)
    return find_field(row, source.text_column, usual=TEXT_COLUMNS, what="text")
