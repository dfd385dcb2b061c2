"""Interleaved documents of WebDataset tars: what the JSON of a sample says of the order of its texts and images.

Published sets, DataComp-VLM's multi-image documents among them, have no common schema, so several are told by shape.
"""

from collections.abc import Mapping
from typing import Any

from curate.contract.reasons import Modality
from curate.contract.records import Item
from curate.ingest.files.faults import RecordError
from curate.ingest.files.row import require_dict, require_str
from curate.ingest.formats.instructions import weave_turns
from curate.ingest.formats.tar_images import TarImages
from curate.ingest.formats.turns import IMAGE_MARK, TURN_LISTS, read_talk

_TEXTS, _IMAGES = ("texts", "text_list"), ("images", "image_list", "image", "image_names", "image_paths", "image_urls")
_PARTS = ("content", "parts", "items", "interleaved", "sequence", "segments", "elements", "chunks", "data")
_IMAGE_TYPES = frozenset({"image", "img", "image_url", "input_image", "picture"})
_TEXT_TYPES = frozenset({"text", "input_text", "output_text", "paragraph", "sentence"})
_TEXT_KEYS = ("text", "content", "value")
_IMAGE_KEYS = ("image", "image_url", "img")
"""Of parts without a type."""

Used = tuple[str, ...]
"""Fields that items were made of."""


def read_order(record: Mapping[str, Any], images: TarImages) -> tuple[list[Item], Used] | None:
    """Return the items that a JSON lists in their order, and the fields they stand in; None where it lists none.

    Shapes, in the order in which they are tried: texts that say ``<image>``; ``texts`` and ``images`` of one length,
    one of them null at each place; a list of parts with ``type: text`` or ``type: image``.

    Raises:
        RecordError: The lists do not fit each other or the images, a part is neither, or an image is not there.
    """
    texts = _first(record, _TEXTS, list)
    if texts is not None and _are_texts(record[texts]):
        listed = _first(record, _IMAGES, list)
        if any(IMAGE_MARK in text for text in record[texts] if text):
            return mark_images([text for text in record[texts] if text], record, images, used=(texts,))
        if listed is not None:
            return _align(record[texts], record[listed], images), (texts, listed)
    parts = next((key for key in _PARTS if _are_parts(record.get(key))), None)
    return None if parts is None else (_read_parts(record[parts], images), (parts,))


def mark_images(
    texts: list[str], record: Mapping[str, Any], images: TarImages, *, used: Used = ()
) -> tuple[list[Item], Used]:
    """Return texts cut at ``<image>``, an image at each: those that the record lists, else all in the tar's order.

    Raises:
        RecordError: There are not as many images as marks, or one is not there.
    """
    found, key = _listed(record, images)
    num_marks = sum(text.count(IMAGE_MARK) for text in texts)
    if num_marks != len(found):
        raise RecordError(f"{len(found)} images, but {num_marks} times {IMAGE_MARK} in the text")
    waiting = iter(found)
    items: list[Item] = []
    for text in texts:
        first, *others = text.split(IMAGE_MARK)
        items += _text(first)
        for other in others:
            items += [next(waiting), *_text(other)]
    return items, used + key


def read_turns(record: Mapping[str, Any], images: TarImages) -> tuple[list[Item], Used] | None:
    """Return the turns of a conversation with its images where they say so; None where the JSON holds none.

    Raises:
        RecordError: As :func:`read_talk` does; there are not as many images as marks, or one is not there.
    """
    if _first(record, TURN_LISTS, list) is None:
        return None
    talk = read_talk(record, roles={})
    found, key = (images.find_all(talk.images), ()) if talk.images else _listed(record, images)
    return list(weave_turns(talk.turns, found)), talk.used + key


def _listed(record: Mapping[str, Any], images: TarImages) -> tuple[list[Item], Used]:
    key = next((key for key in _IMAGES if isinstance(record.get(key), list | str) and record[key]), None)
    if key is None:
        return images.find_all([True] * len(images.names)), ()
    listed = record[key] if isinstance(record[key], list) else [record[key]]
    return images.find_all([one for one in listed if not _is_absent(one)]), (key,)


def _align(texts: list[Any], listed: list[Any], images: TarImages) -> list[Item]:
    if len(texts) != len(listed):
        what = f"no {IMAGE_MARK} says where images stand, so both lists must have an entry per item"
        raise RecordError(f"{len(listed)} images, but {len(texts)} texts; {what}")
    found = iter(images.find_all([one for one in listed if not _is_absent(one)]))
    items: list[Item] = []
    for place, (text, image) in enumerate(zip(texts, listed, strict=True)):
        if text and not _is_absent(image):
            raise RecordError(f"images[{place}] and texts[{place}] are both set")
        items += _text(text or "") if _is_absent(image) else [next(found)]
    return items


def _read_parts(parts: list[Any], images: TarImages) -> list[Item]:
    kinds = [_kind(part, place) for place, part in enumerate(parts)]
    both = list(zip(parts, kinds, strict=True))
    found = iter(images.find_all([_reference(part) for part, kind in both if kind is Modality.IMAGE]))
    items: list[Item] = []
    for place, (part, kind) in enumerate(both):
        if kind is Modality.IMAGE:
            items.append(next(found))
            continue
        value = part if isinstance(part, str) else next((part[k] for k in _TEXT_KEYS if part.get(k) is not None), "")
        items += _text(require_str(value, f"part {place}"))
    return items


def _kind(part: object, place: int) -> Modality:
    if isinstance(part, str):
        return Modality.IMAGE if part.strip() == IMAGE_MARK else Modality.TEXT
    fields = require_dict(part, f"part {place}")
    kind = fields.get("type", fields.get("modality"))
    if kind is None and _has_text(fields) != _has_image(fields):
        return Modality.TEXT if _has_text(fields) else Modality.IMAGE
    if kind in _TEXT_TYPES:
        return Modality.TEXT
    if kind in _IMAGE_TYPES:
        return Modality.IMAGE
    raise RecordError(f"the type of part {place} is {str(kind)[:40]!r}, neither text nor an image")


def _reference(part: object) -> object:
    """Return what an image part says of its image, true where it says nothing."""
    if not isinstance(part, Mapping):
        return True
    # Where the texts stand in `content` or `value`, images may do so, too.
    return next((part[key] for key in _TEXT_KEYS[1:] if isinstance(part.get(key), str | int)), part)


def _has_text(part: Mapping[str, Any]) -> bool:
    return isinstance(part.get("text"), str)


def _has_image(part: Mapping[str, Any]) -> bool:
    return any(part.get(key) is not None for key in _IMAGE_KEYS)


def _are_texts(value: list[Any]) -> bool:
    return bool(value) and all(text is None or isinstance(text, str) for text in value)


def _are_parts(value: object) -> bool:
    """Return whether a list is one of parts: an image among them, and no turns with speakers."""
    fields = [part for part in value if isinstance(part, Mapping)] if isinstance(value, list) else []
    is_image = [part.get("type", part.get("modality")) in _IMAGE_TYPES or _has_image(part) for part in fields]
    return any(is_image) and not any({"role", "from"} & part.keys() for part in fields)


def _is_absent(image: object) -> bool:
    return image is None or image is False or image == ""


def _first(record: Mapping[str, Any], keys: Used, kind: type) -> str | None:
    return next((key for key in keys if isinstance(record.get(key), kind)), None)


def _text(text: str) -> list[Item]:
    return [Item(modality=Modality.TEXT, text=text)] if text.strip() else []
