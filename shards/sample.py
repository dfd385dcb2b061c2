"""One sample before it is written: a document's items in reading order, and its encoding to named parts.

``KEY.json`` is compact UTF-8 with a fixed order of fields, so that equal samples are equal bytes::

    {"doc_id", "kind", "source", "url",
     "items": [{"type": "text", "text", "role"?},
               {"type": "image", "part": "0.jpg", "url", "width", "height", "sha256", "matched_item", "matched_sim",
                "alt", "fetched_at"?}],
     "scores": {"best_sim"?: [per image], "similarity"?: [per image: [per text item]]},
     "provenance"?: {"file", "row", "record"?, "caption"?, "final_url"?, "fetched_at"?},
     "license"?: {"id", "url", "text", "stated_in"},
     "meta"?: {...}}

Items keep their natural place; ``matched_item`` is the place in ``items`` of the text that an image was assigned to.
A reader may therefore use either placement. ``provenance`` says where the document stands in its source, from which
address it came in the end if not from ``url``, and when (UTC). A document whose licence nothing states has none.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from curate.contract.errors import ShardError

JSON_PART = "json"
IMAGE_EXTENSION = "jpg"
"""Of every stored image: one lower-case extension, because readers tell parts apart by it."""
SCORE_DECIMALS = 5
"""Cosines are float16; five decimals give every value from 0.03 up back exactly."""


@dataclass(frozen=True, slots=True)
class SampleText:
    """A text item."""

    text: str
    role: str | None = None
    """``system``, ``user`` or ``assistant`` for instructions, else None."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleImage:
    """An image item with its stored bytes."""

    data: bytes
    """JPEG, exactly as it shall be stored."""
    image_id: str
    """sha256 of ``data`` in hex."""
    url: str | None
    width: int
    """px, as stored."""
    height: int
    """px, as stored."""
    matched_item: int | None = None
    """Place in ``Sample.items`` of the text assigned to the image."""
    matched_sim: float | None = None
    """Cosine of the image and that text."""
    best_sim: float | None = None
    """Largest cosine of the image and any text of the document."""
    alt: str | None = None
    similarity: Sequence[float] | None = None
    """Cosine to each text item of the sample, in their order."""
    fetched_at: str | None = None
    """UTC by ISO 8601, where the set tells times of fetches."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """A document as it enters a shard."""

    doc_id: str
    kind: str
    source: str
    url: str | None
    items: Sequence[SampleText | SampleImage]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Where it came from, as ``KEY.json`` says it."""
    license: Mapping[str, Any] | None = None
    """What its page or row states, likewise; None where neither states any."""
    meta: Mapping[str, Any] = field(default_factory=dict)
    """Passthrough columns of the source; JSON values."""


def image_part(number: int) -> str:
    """Return the part name of a sample's image, such as ``0.jpg``."""
    return f"{number}.{IMAGE_EXTENSION}"


def sample_record(sample: Sample) -> dict[str, Any]:
    """Return what ``KEY.json`` holds.

    Raises:
        ShardError: An image is matched to something that is no text item of the sample.
    """
    items: list[dict[str, Any]] = []
    images: list[SampleImage] = []
    for item in sample.items:
        if isinstance(item, SampleText):
            entry: dict[str, Any] = {"type": "text", "text": item.text}
            items.append(entry | ({} if item.role is None else {"role": item.role}))
        else:
            _check_match(item, sample)
            items.append(_image_entry(item, part=image_part(len(images))))
            images.append(item)
    record: dict[str, Any] = {
        "doc_id": sample.doc_id,
        "kind": sample.kind,
        "source": sample.source,
        "url": sample.url,
        "items": items,
        "scores": _scores(images),
    }
    if sample.provenance:
        record["provenance"] = dict(sample.provenance)
    if sample.license is not None:
        record["license"] = dict(sample.license)
    return record | ({"meta": dict(sample.meta)} if sample.meta else {})


def encode_sample(sample: Sample) -> list[tuple[str, bytes]]:
    """Return the sample's parts in the order they are stored: ``json``, ``0.jpg``, ``1.jpg``, ...

    Raises:
        ShardError: See ``sample_record``; or ``meta`` holds what JSON cannot.
    """
    return encode_record(sample_record(sample), images=sample_images(sample))


def encode_record(record: Mapping[str, Any], *, images: Sequence[bytes]) -> list[tuple[str, bytes]]:
    """Return the parts of a ready record and its images, as ``encode_sample`` does."""
    try:
        text = json.dumps(record, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ShardError(f"document {record['doc_id']}: its meta is not JSON ({error})") from error
    # A lone surrogate has no UTF-8 form; what no reader could decode becomes a question mark.
    parts = [(JSON_PART, text.encode("utf-8", "replace"))]
    return parts + [(image_part(number), data) for number, data in enumerate(images)]


def sample_images(sample: Sample) -> list[bytes]:
    """Return the stored bytes of the sample's images in item order."""
    return [item.data for item in sample.items if isinstance(item, SampleImage)]


def _check_match(image: SampleImage, sample: Sample) -> None:
    place = image.matched_item
    if place is None:
        return
    if not 0 <= place < len(sample.items) or not isinstance(sample.items[place], SampleText):
        raise ShardError(f"document {sample.doc_id}: an image is matched to item {place}, which is no text item")


def _image_entry(image: SampleImage, *, part: str) -> dict[str, Any]:
    entry = {
        "type": "image",
        "part": part,
        "url": image.url,
        "width": image.width,
        "height": image.height,
        "sha256": image.image_id,
        "matched_item": image.matched_item,
        "matched_sim": _score(image.matched_sim),
        "alt": image.alt,
    }
    return entry | ({} if image.fetched_at is None else {"fetched_at": image.fetched_at})


def _scores(images: Sequence[SampleImage]) -> dict[str, Any]:
    scores: dict[str, Any] = {}
    if any(image.best_sim is not None for image in images):
        scores["best_sim"] = [_score(image.best_sim) for image in images]
    if any(image.similarity is not None for image in images):
        scores["similarity"] = [
            None if image.similarity is None else [_score(value) for value in image.similarity] for image in images
        ]
    return scores


def _score(value: float | None) -> float | None:
    """Round to ``SCORE_DECIMALS``; NaN, which JSON has not, becomes null."""
    if value is None or math.isnan(value):
        return None
    return round(float(value), SCORE_DECIMALS) + 0.0  # the addition turns -0.0 into 0.0
