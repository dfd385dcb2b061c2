"""Documents of an OBELICS source."""

import json
from typing import Any

from curate.contract.reasons import IngestReason, Kind, Modality
from curate.contract.records import Document, Item
from curate.ingest.config import ObelicsSource
from curate.ingest.files.faults import RecordError
from curate.ingest.files.row import Row, find_field, require_list, require_str
from curate.ingest.formats.meta import keep_rest
from curate.ingest.formats.picture_addresses import picture_address

TOPIC_SHIFT = "END_OF_DOCUMENT_TOKEN_TO_BE_REPLACED"
"""Stands in OBELICS's texts where a page changes its subject."""
_PARAGRAPH_BREAK = "\n\n"
_USED = ("images", "texts", "metadata", "general_metadata", "url")


def read_obelics_row(row: Row, *, source: ObelicsSource) -> Document:
    """Return texts and images in their natural order.

    ``images`` and ``texts`` are equally long and exactly one of them is set at each place; blank texts make no item and
    marks of a topic shift become a paragraph break. Alt texts are taken from ``metadata`` where that is aligned to the
    items (in MINT-1T, which has the same columns, it is not). The URL is ``general_metadata``'s, else the column
    ``url``. Both metadata columns may be JSON strings, as in OBELICS, or nested columns, as in OmniCorpus; what they
    hold otherwise is kept as meta.

    Raises:
        RecordError: A field has the wrong type, the two lists do not fit each other, or nothing is in the record.
    """
    images = require_list(find_field(row, "images", usual=(), what="image URLs").value, "images")
    texts = require_list(find_field(row, "texts", usual=(), what="texts").value, "texts")
    if len(images) != len(texts):
        raise RecordError(f"{len(images)} images, but {len(texts)} texts; both must have an entry per item")
    general = _parse(row.fields.get("general_metadata"), "general_metadata")
    general = general if isinstance(general, dict) else {}
    metadata = _parse(row.fields.get("metadata"), "metadata")
    aligned = metadata if isinstance(metadata, list) and len(metadata) == len(images) else [None] * len(images)
    url = _page_url(general.pop("url", None) or row.fields.get("url"))
    items = [
        _read_item(image, text, place, base=url, metadata=entry, source=source)
        for place, (image, text, entry) in enumerate(zip(images, texts, aligned, strict=True))
    ]
    kept = tuple(item for item in items if item is not None)
    if not kept:
        raise RecordError("neither text nor images", IngestReason.EMPTY_DOCUMENT)
    meta = keep_rest(row.fields, used=_USED) | keep_rest(
        {"general_metadata": general, "metadata": metadata}, used=[] if metadata else ["metadata"]
    )
    return Document(
        native_id=url or "", ordinal=row.place.ordinal, kind=Kind.INTERLEAVED, url=url, meta=meta, items=kept
    )


def _page_url(value: object) -> str | None:
    return require_str(value, "url").strip() or None if value else None


def _read_item(
    image: object, text: object, place: int, *, base: str | None, metadata: object, source: ObelicsSource
) -> Item | None:
    if (image is None) == (text is None):
        raise RecordError(f"images[{place}] and texts[{place}] are {'both null' if image is None else 'both set'}")
    if text is not None:
        plain = require_str(text, f"texts[{place}]")
        cleaned = plain.replace(TOPIC_SHIFT, _PARAGRAPH_BREAK).strip() if TOPIC_SHIFT in plain else plain
        return Item(modality=Modality.TEXT, text=cleaned) if cleaned.strip() else None
    url = picture_address(require_str(image, f"images[{place}]"), page=base, source=source)
    alt = metadata.get("alt_text") if isinstance(metadata, dict) else None
    return Item(modality=Modality.IMAGE, image_url=url, alt_text=alt if isinstance(alt, str) and alt else None)


def _parse(value: object, what: str) -> Any:
    """Return a column that may be a JSON string as JSON value."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{what} is not JSON: {type(error).__name__}") from error
