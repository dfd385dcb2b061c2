"""The JSON schema of ``KEY.json`` as models; verification reads every record through them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shards.sample import image_part

_MAX_PX = 2**31 - 1
"""What the index can hold."""
Score = Annotated[float | None, Field(ge=-1.001, le=1.001)]
"""A cosine; float16 rounding may pass 1 by a little."""
Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
"""UTC, to the second."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class TextItem(_Strict):
    """A text in its natural place."""

    type: Literal["text"]
    text: str
    role: Literal["system", "user", "assistant"] | None = None


class ImageItem(_Strict):
    """An image in its natural place; its bytes are in the part it names."""

    type: Literal["image"]
    part: str
    url: str | None
    width: int = Field(ge=1, le=_MAX_PX)
    """px"""
    height: int = Field(ge=1, le=_MAX_PX)
    """px"""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    matched_item: int | None
    matched_sim: Score
    alt: str | None
    fetched_at: Time | None = None


class Scores(_Strict):
    """Cosines, a value or list per image in the order of items."""

    best_sim: list[Score] | None = None
    similarity: list[list[Score] | None] | None = None


class Provenance(_Strict):
    """Where a document came from."""

    file: str | None = None
    """Of the source, as its recipe names it."""
    row: int | None = Field(default=None, ge=1)
    record: int | None = None
    caption: int | None = None
    final_url: str | None = None
    """Of its page after redirects, where that is not its ``url``."""
    fetched_at: Time | None = None


class License(_Strict):
    """What a page or a row states."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+-]{0,63}$")] | None
    url: Annotated[str, Field(pattern=r"^https?://")] | None
    text: Annotated[str, Field(max_length=200)] | None
    stated_in: str


class Record(_Strict):
    """The whole file."""

    doc_id: str = Field(min_length=1)
    kind: Literal["interleaved", "pair", "text"]
    source: str = Field(min_length=1)
    url: str | None
    items: list[Annotated[TextItem | ImageItem, Field(discriminator="type")]]
    scores: Scores
    provenance: Provenance | None = None
    license: License | None = None
    meta: dict[str, Any] | None = None


def parse_record(data: bytes) -> tuple[Record | None, list[str]]:
    """Return the record and what is wrong with it; None where it does not fit the schema at all."""
    try:
        record = Record.model_validate_json(data)
    except ValidationError as error:
        return None, [f"json {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
    return record, _find_inconsistencies(record)


def record_images(record: Record) -> list[ImageItem]:
    """Return the image items in order."""
    return [item for item in record.items if isinstance(item, ImageItem)]


def _find_inconsistencies(record: Record) -> list[str]:
    images = record_images(record)
    faults = []
    for number, image in enumerate(images):
        if image.part != image_part(number):
            faults.append(f"json: image {number} names part {image.part} instead of {image_part(number)}")
        if image.matched_item is not None and not _is_text(record, image.matched_item):
            faults.append(f"json: {image.part} is matched to item {image.matched_item}, which is no text item")
    for name, values in (("best_sim", record.scores.best_sim), ("similarity", record.scores.similarity)):
        if values is not None and len(values) != len(images):
            faults.append(f"json: scores.{name} has {len(values)} values for {len(images)} images")
    return faults


def _is_text(record: Record, place: int) -> bool:
    return 0 <= place < len(record.items) and isinstance(record.items[place], TextItem)
