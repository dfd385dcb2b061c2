"""Images of a tar's sample, found by whatever its JSON calls them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from curate.contract.reasons import Modality
from curate.contract.records import Item
from curate.ingest.files.faults import RecordError
from curate.ingest.files.row import type_name
from curate.ingest.files.tar_joins import is_image
from curate.ingest.files.tars import TarSample
from curate.ingest.formats.held_images import HELD

_NAME_KEYS = ("name", "file_name", "filename", "file", "path", "part", "member", "key", "image", "index", "image_index")
_URL_KEYS = ("url", "image_url", "raw_url")
_WEB = ("http://", "https://")
_NUMBER = re.compile(r"\d{1,9}(?=\.[^.]*$)")
"""The last digits of a member's name in front of its extension."""
_PLACE = re.compile(r"[0-9]{1,9}")


@dataclass(kw_only=True, slots=True)
class TarImages:
    """The images of a sample, and which of them something refers to."""

    sample: TarSample
    fetches_absent: bool
    """Whether an image that is not there is one to fetch, where its address is known."""
    names: tuple[str, ...] = ()
    """Parts that are images, in the order of the tar."""
    _used: set[str] = field(default_factory=set)
    _in_order: bool = False
    """Whether addresses and paths that are no names of members mean the images in the order of the tar."""

    def __post_init__(self) -> None:
        self.names = tuple(filter(is_image, self.sample.parts))

    @property
    def unused(self) -> list[str]:
        """Images that nothing has referred to."""
        return [name for name in self.names if name not in self._used]

    def find_all(self, references: Sequence[object]) -> list[Item]:
        """Return the images that references mean, in their order.

        Args:
            references: Each a member's name, whole or without key, folder or extension; a number that its name ends in,
                or its place from 0; an object with either of these or a ``url``; an address; or ``true``, null or an
                empty string for the next one. Addresses, and paths in folders that the tar does not have, mean the
                images in order if there are as many of both.

        Raises:
            RecordError: An image is not in the tar, and it may not or cannot be fetched.
        """
        named = [_named(reference) for reference in references]
        is_foreign = [url is not None if name is None else "/" in str(name) for name, url in named]
        self._in_order = (
            len(named) == len(self.names)
            and all(is_foreign)
            and all(name is None or self._look_up(name) is None for name, _ in named)
        )
        return [self._find(name, url) for name, url in named]

    def _find(self, name: object, url: str | None) -> Item:
        if self._in_order or (name is None and url is None):
            part = next(iter(self.unused), None)
        else:
            part = None if name is None else self._look_up(name)
        if part is not None:
            self._used.add(part)
            return held_item(self.sample, part, url=url)
        if url is not None and self.fetches_absent:
            return Item(modality=Modality.IMAGE, image_url=url)
        what = name if name is not None else url if url is not None else "the next"
        hint = "; with fetch_absent its address is fetched" if url is not None else ""
        raise RecordError(f"{self.sample.key[:80]}: image {str(what)[:80]!r} is not among its members{hint}")

    def _look_up(self, name: object) -> str | None:
        if isinstance(name, bool) or not isinstance(name, int | str):
            raise RecordError(f"{self.sample.key[:80]}: an image cannot be {type_name(name)}")
        if isinstance(name, int):
            return self._by_number(name)
        wanted, key = name.strip().lower(), self.sample.key.lower()
        wholes = {alias: part for part in self.names for alias in (part, f"{key}.{part}")}
        bases = {alias.rpartition("/")[2]: part for alias, part in wholes.items()}
        found = wholes.get(wanted) or bases.get(wanted.rpartition("/")[2])
        if found is not None:
            return found
        stems = [part for part in self.names if part.rpartition(".")[0] == wanted]
        return stems[0] if len(stems) == 1 else self._by_number(int(wanted)) if _PLACE.fullmatch(wanted) else None

    def _by_number(self, number: int) -> str | None:
        found = [_NUMBER.search(name) for name in self.names]
        numbers = [int(one[0]) for one in found if one is not None]
        if len(set(numbers)) == len(self.names):
            return self.names[numbers.index(number)] if number in numbers else None
        return self.names[number] if 0 <= number < len(self.names) else None


def held_item(sample: TarSample, part: str, *, url: str | None = None, **fields: Any) -> Item:
    """Return the image item of a member, by its address or, without one, by its place."""
    name = url or f"{HELD}{sample.place.ordinal}/{part}"
    return Item(modality=Modality.IMAGE, image_url=name, image_bytes=sample.parts[part], **fields)


def _named(reference: object) -> tuple[object, str | None]:
    """Return the name or number that a reference gives, if any, and the address."""
    if not isinstance(reference, Mapping):
        if _is_web(reference):
            return None, str(reference).strip()
        return (None if reference is True or reference == "" else reference), None
    nested = [reference[key] for key in (*_URL_KEYS, "image") if isinstance(reference.get(key), Mapping)]
    inner: Mapping[str, Any] = nested[0] if nested else {}
    fields = {**inner, **{key: value for key, value in reference.items() if not isinstance(value, Mapping)}}
    url = next((str(fields[key]).strip() for key in (*_URL_KEYS, *_NAME_KEYS) if _is_web(fields.get(key))), None)
    names = (fields[key] for key in (*_NAME_KEYS, *_URL_KEYS) if fields.get(key) is not None)
    return next((name for name in names if not _is_web(name) and name != ""), None), url


def _is_web(value: object) -> bool:
    return isinstance(value, str) and value.strip().lower().startswith(_WEB)
