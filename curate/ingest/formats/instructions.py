"""Documents of an instructions source: conversations, and with LLaVA's records the images in them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from curate.contract.reasons import IngestReason, Kind, Modality, Role
from curate.contract.records import Document, Item
from curate.ingest.config import InstructionsSource, image_folder
from curate.ingest.files.faults import RecordError
from curate.ingest.files.picture_roots import is_path
from curate.ingest.files.row import Row, require_str, type_name
from curate.ingest.formats.meta import keep_rest
from curate.ingest.formats.picture_addresses import picture_address
from curate.ingest.formats.turns import IMAGE_MARK, Talk, Turn, read_talk

_IMAGE_KEYS = ("image_urls", "image_url", "image", "images")
"""Addresses go before the paths beside them, as in what ``curate export --format llava`` writes, unless the source
declares the folder of those paths."""

_MARK_ALONE = re.compile(r"(?m)^\s*<image>\s*$")


def read_instruction_row(row: Row, *, source: InstructionsSource) -> Document:
    """Return one text item per turn, and an image item wherever a turn has an image.

    Images stand where the turns say ``<image>``, as in LLaVA, or have a part for them. A record without images is a
    document of kind text in which ``<image>`` is a word like any other; one with images is an interleaved document.

    Raises:
        RecordError: As :func:`read_talk` does; the assistant never speaks (empty_document); the images are not as many
            as their marks, or one has a path and the source no ``image_root``.
    """
    fields = row.fields
    talk = read_talk(fields, roles={name.lower(): role for name, role in source.roles.items()})
    images, image_key = _find_images(fields, talk, source)
    items = weave_turns(talk.turns, [Item(modality=Modality.IMAGE, image_url=image) for image in images])
    own_id = fields.get("id")
    used = (*talk.used, image_key) if image_key else talk.used
    return Document(
        native_id=str(own_id) if isinstance(own_id, str | int) else "",
        ordinal=row.place.ordinal,
        kind=Kind.INTERLEAVED if images else Kind.TEXT,
        meta=keep_rest(fields, used=used),
        items=items,
    )


def _find_images(fields: Mapping[str, Any], talk: Talk, source: InstructionsSource) -> tuple[list[str], str | None]:
    """Return the addresses of all images in the order of their marks, and the column that holds them."""
    keys = _IMAGE_KEYS if image_folder(source) is None else reversed(_IMAGE_KEYS)
    there = [key for key in keys if fields.get(key)]
    # An address may be unknown: then the paths beside them are all there is.
    key = next((key for key in there if not isinstance(fields[key], list) or all(fields[key])), next(iter(there), None))
    value = fields[key] if key else []
    listed = [_address(each, key or "", source) for each in (value if isinstance(value, list) else [value])]
    if not any(talk.images) and (listed or not talk.images):
        return listed, key
    waiting = iter(listed)
    named = [_address(each, "image", source) if each else next(waiting, "") for each in talk.images]
    num_over = len(list(waiting))
    if num_over or not all(named):
        raise RecordError(f"{len(listed)} images in {key!r} do not fit the {talk.images.count('')} parts without any")
    return named, key


def _address(value: object, what: str, source: InstructionsSource) -> str:
    if isinstance(value, dict):
        if value.get("bytes"):
            raise RecordError(f"{what} holds the picture itself; only pictures with an address or a path are taken")
        value = value.get("url") or value.get("path")
    if not isinstance(value, str):
        raise RecordError(f"{what} must be an address, not {type_name(value)}")
    address = require_str(value, what).strip()
    if is_path(address) and source.image_root is None:
        where = "give image_root, the folder or the http(s) address below which it lies"
        raise RecordError(f"{what} {address[:80]!r} is a path: {where}")
    return picture_address(address, page=None, source=source)


def weave_turns(turns: Sequence[Turn], images: Sequence[Item]) -> tuple[Item, ...]:
    """Return the items of a conversation, an image at each mark; without images a mark is a word like any other.

    Raises:
        RecordError: The assistant says nothing, or the images are not as many as their marks.
    """
    if not any(turn.role is Role.ASSISTANT for turn in turns):
        raise RecordError("no assistant turn", IngestReason.EMPTY_DOCUMENT)
    if not images:
        if any(_MARK_ALONE.search(turn.text) for turn in turns):
            raise RecordError(f"a turn says {IMAGE_MARK} on a line of its own, but the record has no image")
        return tuple(map(_say, turns))
    num_marks = sum(turn.text.count(IMAGE_MARK) for turn in turns)
    if num_marks != len(images):
        raise RecordError(f"{len(images)} images, but {num_marks} times {IMAGE_MARK} in the turns")
    items: list[Item] = []
    waiting = iter(images)
    for turn in turns:
        first, *others = turn.text.split(IMAGE_MARK)
        items += _said(first, turn.role)
        for text in others:
            items.append(next(waiting))
            items += _said(text, turn.role)
    if not any(item.role is Role.ASSISTANT for item in items):
        raise RecordError("no text by the assistant", IngestReason.EMPTY_DOCUMENT)
    return tuple(items)


def _said(text: str, role: Role) -> list[Item]:
    return [_say(Turn(role=role, text=text.strip()))] if text.strip() else []


def _say(turn: Turn) -> Item:
    return Item(modality=Modality.TEXT, text=turn.text, role=turn.role)
