"""Documents of an interleaved source: texts and images in lists of any name."""

import json
from typing import Any

from curate.contract.reasons import IngestReason, Kind, Modality
from curate.contract.records import Document, Item
from curate.ingest.config import InterleavedSource
from curate.ingest.files.faults import RecordError
from curate.ingest.files.row import Row, drop_field, find_field, require_list, require_str
from curate.ingest.formats.meta import keep_rest
from curate.ingest.formats.picture_addresses import picture_address


def read_interleaved_row(row: Row, *, source: InterleavedSource) -> Document:
    """Return texts and images in their order.

    Where a text says the placeholder, each one stands for the next image; the texts may then be one string. Otherwise
    both lists are equally long and one of them is null or empty at each place, as in OBELICS. An image is a URL or an
    object with a ``url``; lists may be JSON strings.

    Raises:
        RecordError: A column is missing or has the wrong type, the lists do not fit each other, or nothing is in them.
    """
    texts_found = find_field(row, source.texts_column, usual=(), what="texts")
    images_found = find_field(row, source.images_column, usual=(), what="image URLs")
    url_found = None if source.url_column is None else find_field(row, source.url_column, usual=(), what="page URL")
    url = require_str(url_found.value, url_found.name).strip() if url_found and url_found.value else ""
    images = _parse_list(images_found.value, images_found.name)
    is_marked, texts = _parse_texts(texts_found.value, texts_found.name, source.placeholder)
    items = _spread(texts, images, source, base=url) if is_marked else _zip(texts, images, source, base=url)
    if not items:
        raise RecordError("neither text nor images", IngestReason.EMPTY_DOCUMENT)
    rest = row.fields
    for found in (texts_found, images_found, url_found):
        if found is not None and found.path[0] in rest:
            rest = drop_field(rest, found.path)
    return Document(
        native_id=url,
        ordinal=row.place.ordinal,
        kind=Kind.INTERLEAVED,
        url=url or None,
        meta=keep_rest(rest, used=()),
        items=tuple(items),
    )


def _parse_texts(value: object, what: str, placeholder: str) -> tuple[bool, list[Any]]:
    """Return whether the texts say where the images are, and the texts."""
    if isinstance(value, str) and not value.lstrip().startswith("["):
        return True, [value]
    texts = _parse_list(value, what)
    return any(isinstance(text, str) and placeholder in text for text in texts), texts


def _parse_list(value: object, what: str) -> list[Any]:
    if isinstance(value, str | bytes):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise RecordError(f"{what} is neither a list nor JSON: {type(error).__name__}") from error
    return require_list(value, what)


def _spread(texts: list[Any], images: list[Any], source: InterleavedSource, *, base: str) -> list[Item]:
    """Return texts cut at the placeholders, an image at each; null stands for no text."""
    plain = [require_str(text, source.texts_column) for text in texts if text is not None]
    listed = [image for image in images if image is not None]
    num_marks = sum(text.count(source.placeholder) for text in plain)
    if num_marks != len(listed):
        raise RecordError(f"{len(listed)} images, but {num_marks} times {source.placeholder} in {source.texts_column}")
    waiting = iter(listed)
    items: list[Item] = []
    for text in plain:
        first, *others = text.split(source.placeholder)
        items += _text(first)
        for other in others:
            items += [_image(next(waiting), source.images_column, source, base=base), *_text(other)]
    return items


def _zip(texts: list[Any], images: list[Any], source: InterleavedSource, *, base: str) -> list[Item]:
    if len(texts) != len(images):
        what = f"no {source.placeholder} says where images stand, so both lists must have an entry per item"
        raise RecordError(f"{len(images)} images, but {len(texts)} texts; {what}")
    items: list[Item] = []
    for place, (image, text) in enumerate(zip(images, texts, strict=True)):
        if image and text:
            raise RecordError(f"{source.images_column}[{place}] and {source.texts_column}[{place}] are both set")
        if image:
            items.append(_image(image, f"{source.images_column}[{place}]", source, base=base))
        elif text is not None:
            items += _text(require_str(text, f"{source.texts_column}[{place}]"))
    return items


def _text(text: str) -> list[Item]:
    return [Item(modality=Modality.TEXT, text=text)] if text.strip() else []


def _image(value: object, what: str, source: InterleavedSource, *, base: str) -> Item:
    url = require_str(value.get("url") if isinstance(value, dict) else value, what)
    if not url.strip():
        raise RecordError(f"{what} is empty")
    return Item(modality=Modality.IMAGE, image_url=picture_address(url, page=base or None, source=source))
