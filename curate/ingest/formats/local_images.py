"""Images of documents that lie in a folder: read while their record is, into the same place as those in rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from curate.contract.reasons import FetchStatus, Modality
from curate.contract.records import Document, ImageFault, Item
from curate.ingest.files.picture_roots import PictureError, PictureRoot, is_below, is_path, read_picture

MAX_DOCUMENT_BYTES = 256 << 20
"""Of all pictures of a document that are read from a folder; those beyond are too large."""
_NO_ROOT = ImageFault(
    status=FetchStatus.BAD_URL, detail="a path: image_root of the source declares the folder that may be read"
)


def hold_images(documents: Sequence[Document], *, root: PictureRoot | None) -> list[Document]:
    """Return documents with the bytes of their images that lie below ``root``, or with why there are none.

    Such images are named ``file:`` and their path from the root on, so that a corpus may move. A picture that several
    of the documents show is read once.

    Args:
        documents: Of one record.
        root: The declared folder; None reads nothing, and every path has a fault that names the key.
    """
    reader = _Reader(root=root)
    return [replace(document, items=reader.hold(document.items)) for document in documents]


@dataclass(kw_only=True, slots=True)
class _Reader:
    root: PictureRoot | None
    seen: dict[str, Item] = field(default_factory=dict)

    def hold(self, items: Sequence[Item]) -> tuple[Item, ...]:
        num_left = MAX_DOCUMENT_BYTES
        held = []
        for item in items:
            kept = self._hold(item, num_left)
            num_left -= len(kept.image_bytes or b"") if kept is not item else 0
            held.append(kept)
        return tuple(held)

    def _hold(self, item: Item, num_left: int) -> Item:
        address = item.image_url
        if item.modality is not Modality.IMAGE or item.image_bytes is not None or not address:
            return item
        if self.root is None:
            return replace(item, image_fault=_NO_ROOT) if is_path(address) else item
        if not is_below(self.root, address):
            return item
        found = self.seen.get(address)
        if found is None or len(found.image_bytes or b"") > num_left:
            found = self.seen[address] = _read(self.root, item, address, num_left)
        return replace(item, image_url=found.image_url, image_bytes=found.image_bytes, image_fault=found.image_fault)


def _read(root: PictureRoot, item: Item, address: str, num_left: int) -> Item:
    try:
        name, data = read_picture(root, address, max_bytes=min(root.max_bytes, num_left))
    except PictureError as error:
        what = error.what
        if error.status is FetchStatus.TOO_LARGE and num_left < root.max_bytes:
            what = f"{what}, and its document's other pictures leave {num_left} of {MAX_DOCUMENT_BYTES}"
        name = address if address.lower().startswith("file:") else f"file:{address}"
        return replace(item, image_url=name, image_fault=ImageFault(status=error.status, detail=what))
    return replace(item, image_url=f"file:{name}", image_bytes=data)
