"""Documents of a folder source: pictures, each with the caption in the file beside it."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from curate.contract.reasons import FetchStatus, IngestReason, Kind, Modality
from curate.contract.records import Document, Fault, Item
from curate.ingest.config import TEXT_COLUMNS, TEXT_PARTS, FolderSource
from curate.ingest.files.faults import (
    READ_ERRORS,
    Place,
    RecordError,
    describe_error,
    file_fault,
    missing_fault,
    record_fault,
)
from curate.ingest.files.folders import Listing, walk_folder
from curate.ingest.files.picture_roots import PictureError, PictureRoot, read_picture
from curate.ingest.files.row import Row, find_field, require_dict, require_str, require_text
from curate.ingest.files.tar_joins import IMAGE_EXTENSIONS
from curate.ingest.formats.local_images import hold_images
from curate.ingest.formats.meta import keep_rest

MAX_CAPTION_BYTES = 1 << 20
_JSON = "json"


def read_folder(path: str, *, source: FolderSource, label: str, root: PictureRoot | None) -> Iterator[Document | Fault]:
    """Yield an image item and a text item for each picture and caption, in the order of their names.

    Args:
        path: The folder, or its URL.
        source: Says where in JSON the caption is.
        label: Names the folder in faults and ordinals.
        root: Of its pictures; None reads captions alone.

    Yields:
        Documents. A picture without a caption is a fault, and so is a caption without a picture, a folder that cannot
        be listed or is a link, and at the end what is neither picture nor caption, all together.
    """
    reader = _Reader(captions=PictureRoot(folder=path, max_bytes=MAX_CAPTION_BYTES), source=source, label=label)
    try:
        for listing in walk_folder(path):
            for record in reader.read(listing):
                yield from hold_images([record], root=root) if isinstance(record, Document) and root else [record]
    except FileNotFoundError:
        yield missing_fault(label)
        return
    except READ_ERRORS as error:
        yield file_fault(label, describe_error(error))
        return
    yield from reader.finish()


@dataclass(kw_only=True, slots=True)
class _Reader:
    captions: PictureRoot
    source: FolderSource
    label: str
    number: int = 0
    """Of the record under way."""
    num_pictures: int = 0
    foreign: Counter[str] = field(default_factory=Counter)
    """Extensions of files that are neither pictures nor captions."""

    def read(self, listing: Listing) -> Iterator[Document | Fault]:
        if listing.error:
            yield self._fault(f"{listing.path}: {listing.error}", IngestReason.UNREADABLE_FILE)
        for name in listing.linked:
            yield self._fault(f"{listing.path}{name}: a link to a folder, which is not followed")
        captions: dict[str, dict[str, str]] = {}
        pictures = []
        for name in listing.files:
            stem, _, extension = name.rpartition(".")
            extension = extension.lower()
            if extension in IMAGE_EXTENSIONS and stem:
                pictures.append((name, stem))
            elif extension in {*TEXT_PARTS, _JSON} and stem:
                captions.setdefault(stem, {}).setdefault(extension, listing.path + name)
            else:
                self.foreign[extension] += 1
        self.num_pictures += len(pictures)
        for name, stem in pictures:
            yield from self._read_picture(listing.path + name, captions.get(stem, {}))
        with_picture = {stem for _, stem in pictures}
        for stem in (stem for stem in captions if stem not in with_picture):
            for name in captions[stem].values():
                yield self._fault(f"{name}: no picture beside it")

    def finish(self) -> Iterator[Fault]:
        if self.foreign:
            kinds = ", ".join(f"{count} .{kind}" for kind, count in sorted(self.foreign.items()))
            yield self._fault(f"{self.foreign.total()} files are neither pictures nor captions: {kinds}")
        if not self.num_pictures:
            yield file_fault(self.label, "no picture in this folder")

    def _read_picture(self, path: str, captions: Mapping[str, str]) -> Iterator[Document | Fault]:
        self.number += 1
        place = Place(label=self.label, number=self.number)
        try:
            fields = self._read_json(captions[_JSON]) if _JSON in captions else {}
            texts, used = self._read_texts(captions, Row(place=place, fields=fields))
            meta = keep_rest(fields, used=used) | {"path": path}
        except RecordError as error:
            yield record_fault(place, f"{path}: {error.what}", error.reason)
            return
        image = Item(modality=Modality.IMAGE, image_url=f"./{path}")
        for number, text in enumerate(texts, start=1):
            ordinal = place.ordinal + (f"/{number}" if number > 1 else "")
            items = (image, Item(modality=Modality.TEXT, text=text))
            yield Document(native_id=path, ordinal=ordinal, kind=Kind.PAIR, meta=meta, items=items)

    def _read_texts(self, captions: Mapping[str, str], row: Row) -> tuple[list[str], tuple[str, ...]]:
        beside = next((captions[kind] for kind in TEXT_PARTS if kind in captions), None)
        if beside is not None and self.source.text_column is None:
            return [require_text(self._read(beside), beside)], ()
        if _JSON not in captions:
            raise RecordError("no caption beside it", IngestReason.EMPTY_DOCUMENT)
        found = find_field(row, self.source.text_column, usual=TEXT_COLUMNS, what="text")
        listed = found.value if isinstance(found.value, list) else [found.value]
        texts = [require_str("" if text is None else text, found.name).strip() for text in listed]
        texts = [text for text in texts if text]
        if not texts:
            raise RecordError(f"{found.name} is empty", IngestReason.EMPTY_DOCUMENT)
        return texts[:1] if self.source.captions == "first" else texts, found.path[:1]

    def _read_json(self, path: str) -> dict[str, Any]:
        try:
            return require_dict(json.loads(self._read(path)), path)
        except (ValueError, RecursionError) as error:
            raise RecordError(f"{path} does not parse: {type(error).__name__}") from error

    def _read(self, path: str) -> bytes:
        try:
            return read_picture(self.captions, f"./{path}", max_bytes=MAX_CAPTION_BYTES)[1]
        except PictureError as error:
            is_empty = error.status is FetchStatus.EMPTY_BODY
            reason = IngestReason.EMPTY_DOCUMENT if is_empty else IngestReason.MALFORMED_RECORD
            raise RecordError(f"{path}: {error.status}: {error.what}", reason) from error

    def _fault(self, what: str, reason: IngestReason = IngestReason.MALFORMED_RECORD) -> Fault:
        self.number += 1
        return record_fault(Place(label=self.label, number=self.number), what, reason)
