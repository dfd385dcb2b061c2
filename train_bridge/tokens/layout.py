"""Puts the items of a stored record into the order in which they are read: placement, and the cap on images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

JsonObject = Mapping[str, Any]
"""A record of a shard (``KEY.json``) or one of its items: what others wrote, so nothing is sure of its values."""
Placement = Literal["natural", "matched"]


@dataclass(frozen=True, slots=True)
class TextPiece:
    """A text item."""

    text: str
    role: str | None = None


@dataclass(frozen=True, slots=True)
class ImagePiece:
    """An image item."""

    ordinal: int
    """Its place among the images of the record: 0 for ``0.jpg``."""


Layout = Sequence[TextPiece | ImagePiece]


def lay_out(record: JsonObject, *, placement: Placement, max_images: int | None = None) -> Layout:
    """Return the record's items in reading order.

    Args:
        record: ``KEY.json`` as ``shards.sample`` describes it.
        placement: ``natural`` keeps the order of the record. ``matched`` puts an image directly before its
            ``matched_item`` (MMC4's order, section 3 of arXiv 2304.06939); one without a match stays before the text
            that follows it.
        max_images: Keep this many images, those of the best ``best_sim``; equal ones by order, unscored ones last.

    Raises:
        KeyError, TypeError: The record is not of that form.
    """
    items = record["items"]
    kept = _kept_images(record, items, max_images=max_images)
    pieces: list[tuple[int, TextPiece | ImagePiece]] = []
    ordinal = 0
    for place, item in enumerate(items):
        if item["type"] == "text":
            pieces.append((place, TextPiece(str(item["text"]), item.get("role"))))
            continue
        if ordinal in kept:
            target = item.get("matched_item") if placement == "matched" else None
            if placement == "matched" and target is None:
                target = _next_text(items, place)
            pieces.append((place if target is None else target, ImagePiece(ordinal)))
        ordinal += 1
    # Of one place, images come before the text; sorting is stable, so they keep their order.
    pieces.sort(key=lambda piece: (piece[0], isinstance(piece[1], TextPiece)))
    return [piece for _, piece in pieces]


def _kept_images(record: JsonObject, items: Sequence[JsonObject], *, max_images: int | None) -> set[int]:
    num_images = sum(item["type"] != "text" for item in items)
    if max_images is None or num_images <= max_images:
        return set(range(num_images))
    scores = list(record.get("scores", {}).get("best_sim") or [])
    scores += [None] * (num_images - len(scores))
    ranked = sorted(range(num_images), key=lambda i: (scores[i] is None, -(scores[i] or 0.0), i))
    return set(ranked[:max_images])


def _next_text(items: Sequence[JsonObject], place: int) -> int | None:
    return next((later for later in range(place, len(items)) if items[later]["type"] == "text"), None)
