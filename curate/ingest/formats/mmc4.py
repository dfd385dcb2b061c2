"""Documents of an MMC4 source."""

from dataclasses import dataclass
from typing import Any

from curate.contract.reasons import IngestReason, Kind, Modality
from curate.contract.records import Document, Item
from curate.ingest.config import Mmc4Source
from curate.ingest.files.faults import RecordError
from curate.ingest.files.row import Row, require_dict, require_list, require_str, type_name
from curate.ingest.formats.meta import keep_rest
from curate.ingest.urls import resolve_url

_USED = ("url", "text_list", "image_info", "similarity_matrix")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Image:
    url: str
    sentence: int
    """Index into text_list of the sentence that it stands before; -1 in front of all text without a match."""
    alt_text: str | None
    meta: dict[str, Any]


def read_mmc4_row(row: Row, *, source: Mmc4Source) -> Document:  # noqa: ARG001  # every reader has this signature
    """Return sentences and images in reading order.

    An image stands directly before the sentence that ``matched_text_index`` names, as MMC4's own users place it;
    images of one sentence keep their listed order. MMC4 does not say where an image stood on its page, so images
    without a match are put in front of all text, in the order listed: any place in between would be invented, and in
    front an image at least precedes whatever sentence it belongs to. Placement by similarity is measured later. Records
    that this project exported say where it stood: ``natural_text_index`` (texts before the image) goes before a match.

    ``similarity_matrix`` is dropped, since similarities are measured again with the run's own model; the other fields
    are kept as meta, those of an image in ``image_info`` in the order of the image items. Blank sentences make no item.

    Raises:
        RecordError: A field has the wrong type, an index points past the text, or nothing is in the record.
    """
    fields = row.fields
    url = fields.get("url")
    url = None if url is None else require_str(url, "url").strip()
    texts = [
        require_str(text, f"text_list[{i}]")
        for i, text in enumerate(require_list(fields.get("text_list"), "text_list"))
    ]
    infos = fields.get("image_info")
    listed = [] if infos is None else require_list(infos, "image_info")
    images = [_read_image(info, i, base=url, num_sentences=len(texts)) for i, info in enumerate(listed)]
    images.sort(key=lambda image: image.sentence)  # stable: the listed order stays within a sentence
    items = _interleave(texts, images)
    if not items:
        raise RecordError("neither text nor images", IngestReason.EMPTY_DOCUMENT)
    meta = keep_rest(fields, used=_USED) | {"image_info": [image.meta for image in images]}
    return Document(
        native_id=url or "", ordinal=row.place.ordinal, kind=Kind.INTERLEAVED, url=url or None, meta=meta, items=items
    )


def _read_image(info: object, index: int, *, base: str | None, num_sentences: int) -> _Image:
    where = f"image_info[{index}]"
    fields = require_dict(info, where)
    raw_url = require_str(fields.get("raw_url"), f"{where}.raw_url")
    sentence = fields.get("matched_text_index")
    if fields.get("natural_text_index") is not None:
        sentence = _read_place(fields["natural_text_index"], where, num_sentences=num_sentences)
    elif sentence is None:
        sentence = -1
    elif isinstance(sentence, bool) or not isinstance(sentence, int):
        raise RecordError(f"{where}.matched_text_index must be an integer, not {type_name(sentence)}")
    elif not 0 <= sentence < num_sentences:
        raise RecordError(f"{where}.matched_text_index is {sentence}, but text_list has {num_sentences} sentences")
    alt = fields.get("alt_text")
    return _Image(
        url=resolve_url(base, raw_url),
        sentence=sentence,
        alt_text=None if alt is None else require_str(alt, f"{where}.alt_text"),
        meta=keep_rest(fields, used=("raw_url", "alt_text")),
    )


def _read_place(value: object, where: str, *, num_sentences: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= num_sentences:
        raise RecordError(f"{where}.natural_text_index must be an integer from 0 to {num_sentences}")
    return value


def _interleave(texts: list[str], images: list[_Image]) -> tuple[Item, ...]:
    """Merge sentences and images, the latter sorted by sentence."""
    items: list[Item] = []
    waiting = iter(images)
    image = next(waiting, None)
    for index, text in enumerate([*texts, ""]):
        while image is not None and (image.sentence <= index):
            items.append(Item(modality=Modality.IMAGE, image_url=image.url, alt_text=image.alt_text))
            image = next(waiting, None)
        if text.strip():
            items.append(Item(modality=Modality.TEXT, text=text))
    return tuple(items)
