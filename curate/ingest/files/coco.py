"""Rows of captions in the shape of COCO: one JSON object with arrays ``images`` and ``annotations``."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from curate.contract.reasons import IngestReason
from curate.contract.records import Fault
from curate.ingest.files.faults import Place, file_fault, record_fault
from curate.ingest.files.json_sections import has_sections, read_section
from curate.ingest.files.row import Row, type_name

IMAGES, ANNOTATIONS = "images", "annotations"
MAX_IMAGES_BYTES = 1 << 30
"""Of the table of images that is kept while captions are read: id and address, some 200 bytes each and their text, so
three to four million; COCO has 123,287."""
_ENTRY_BYTES = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class CocoLayout:
    """What a source says about its images."""

    address_keys: tuple[str, ...]
    """Fields of an image, the first that is there is its address."""
    address_column: str
    """Name of the address in rows."""
    other_keys: frozenset[str]
    """Keys, in lower case, by which a record that is a row itself is told from such an object."""
    first_only: bool
    """Whether only the first caption of an image is taken."""


def is_coco(head: bytes, layout: CocoLayout) -> bool:
    """Return whether a JSON file that begins so has the shape of COCO."""
    return has_sections(head, (IMAGES, ANNOTATIONS), others=layout.other_keys)


def read_coco(stream: io.BufferedReader, *, label: str, layout: CocoLayout) -> Iterator[Row | Fault]:
    """Yield a row per annotation in their order: its fields, and the address of its image; the file is read twice.

    Args:
        stream: UTF-8, seekable.
        label: Names the file; rows are numbered within ``label/annotations``, by lines.
        layout: Of the source.

    Yields:
        Rows; an annotation of an unknown image is a fault, an image without annotations another, and so is a file with
        more images than fit into :data:`MAX_IMAGES_BYTES`.
    """
    if not stream.seekable():
        yield file_fault(label, "such a file is read twice, which takes UTF-8 with line feeds")
        return
    addresses: dict[str, str] = {}
    num_bytes = 0
    for row in read_section(stream, IMAGES, label=f"{label}/{IMAGES}"):
        found = row if isinstance(row, Fault) else _read_image(row, addresses, layout)
        if isinstance(found, Fault):
            yield found
            continue
        addresses[found[0]] = found[1]
        num_bytes += _ENTRY_BYTES + len(found[0]) + len(found[1])
        if num_bytes > MAX_IMAGES_BYTES:
            yield file_fault(label, f"more images than are kept: {len(addresses):,}, {MAX_IMAGES_BYTES:,} bytes")
            return
    yield from _read_captions(stream, addresses, label=label, layout=layout)


def _read_captions(
    stream: io.BufferedReader, addresses: dict[str, str], *, label: str, layout: CocoLayout
) -> Iterator[Row | Fault]:
    seen: set[str] = set()
    is_whole = True
    for row in read_section(stream, ANNOTATIONS, label=f"{label}/{ANNOTATIONS}"):
        if isinstance(row, Fault):
            is_whole = is_whole and row.reason is not IngestReason.UNREADABLE_FILE
            yield row
            continue
        image = _id(row.fields.get("image_id"))
        if image is None or image not in addresses:
            yield record_fault(row.place, f"no image has the id {str(row.fields.get('image_id'))[:80]!r}")
        elif not layout.first_only or image not in seen:
            seen.add(image)
            fields = row.fields | {layout.address_column: addresses[image]}
            yield Row(place=row.place, fields=fields, has_fixed_columns=True)
    if is_whole:
        yield from _without_captions(addresses, seen, label=label)


def _without_captions(addresses: dict[str, str], seen: set[str], *, label: str) -> Iterator[Fault]:
    alone = (image for image in addresses if image not in seen)
    for number, image in enumerate(alone, start=1):
        place = Place(label=f"{label}/{IMAGES}/without", number=number)
        what = f"the image {image[:80]!r} has no caption"
        yield replace(record_fault(place, what, IngestReason.EMPTY_DOCUMENT), detail=f"{label}: {what}")


def _read_image(row: Row, addresses: dict[str, str], layout: CocoLayout) -> tuple[str, str] | Fault:
    image = _id(row.fields.get("id"))
    if image is None:
        return record_fault(
            row.place, f"an image's id must be a number or a string, not {type_name(row.fields.get('id'))}"
        )
    if image in addresses:
        return record_fault(row.place, f"the id {image[:80]!r} is there twice")
    values = (row.fields.get(key) for key in layout.address_keys)
    address = next((value for value in values if isinstance(value, str) and value.strip()), None)
    if address is None:
        return record_fault(row.place, f"the image {image[:80]!r} has no {' or '.join(layout.address_keys)}")
    return image, address


def _id(value: Any) -> str | None:
    return str(value) if isinstance(value, int | str) and not isinstance(value, bool) else None
