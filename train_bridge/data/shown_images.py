"""The pixels behind the placeholders of a sample: an image, one of its tiles, or the crops of all its scales."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from train_bridge.model.images import DECODE_ERRORS, ImageForm, Pixels, decode_crops, decode_image
from train_bridge.tokens.encoder import Encoded
from train_bridge.tokens.image_places import Grid


class UnusableImageError(Exception):
    """An image that cannot be shown; its text says which and why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownImages:
    """What the vision tower sees of a sample."""

    pixels: list[Pixels]
    """N times [3, H, W]."""
    grids: list[Grid] = field(default_factory=list)
    """Of each image, where several of ``pixels`` are one (S2)."""


def show_images(encoded: Encoded, places: range, *, images: Mapping[int, bytes], form: ImageForm) -> ShownImages:
    """Decode what some placeholders of a document stand for.

    Args:
        encoded: The document.
        places: Numbers of the placeholders, counted over the document; with S2 all of an image or none.
        images: Stored bytes, by an image's place in the record.
        form: How pixels are made.

    Raises:
        KeyError: An image is not among them.
        UnusableImageError: An image does not decode, or is cut in two by the sample's end.
    """
    crops: dict[int, list[Pixels]] = {}
    for ordinal in (encoded.images[place] for place in places):
        if ordinal not in crops:
            crops[ordinal] = _decode(images[ordinal], ordinal, encoded, form)
    if form.tiling is None:
        return ShownImages(pixels=[crops[encoded.images[place]][0] for place in places])
    if form.tiling.mode == "tiles":
        numbers = [place - encoded.images.index(encoded.images[place]) for place in places]
        shown = zip(places, numbers, strict=True)
        return ShownImages(pixels=[crops[encoded.images[place]][number] for place, number in shown])
    for ordinal in crops:
        wanted = encoded.images.count(ordinal)
        if sum(encoded.images[place] == ordinal for place in places) != wanted:
            raise UnusableImageError(f"image {ordinal}: a sample ends inside its {wanted} crops")
    pixels = [crop for own in crops.values() for crop in own]
    return ShownImages(pixels=pixels, grids=[encoded.grids[ordinal] for ordinal in crops])


def _decode(data: bytes, ordinal: int, encoded: Encoded, form: ImageForm) -> list[Pixels]:
    try:
        if form.tiling is None:
            return [decode_image(data, form=form)]
        return decode_crops(data, form=form, grid=encoded.grids[ordinal])
    except DECODE_ERRORS as error:
        raise UnusableImageError(f"image {ordinal}: {error}") from error
