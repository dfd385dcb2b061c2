"""Plain Python records: what ingest readers yield before they become Arrow rows."""

from dataclasses import dataclass, field
from typing import Any

from curate.contract.reasons import FetchStatus, IngestReason, Kind, Modality, Role


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageFault:
    """Why an image that should come with its source does not; its document goes on without it."""

    status: FetchStatus
    detail: str
    """For a person."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One text or image of a document, in document order."""

    modality: Modality
    text: str | None = None
    role: Role | None = None
    image_url: str | None = None
    alt_text: str | None = None
    expected_sha256: str | None = None
    """Of the image's original bytes, lower-case hex, where the source promises them."""
    image_bytes: bytes | None = None
    """The image itself, where the source holds it: nothing is fetched then, and ``image_url`` may be a name."""
    image_fault: ImageFault | None = None
    """Instead of bytes: nothing is fetched either, and the image counts as one that could not be had."""


@dataclass(frozen=True, kw_only=True, slots=True)
class License:
    """What a page or a row states of the licence of its content; nothing in it is guessed."""

    id: str | None = None
    """SPDX id, or one made as SPDX makes them, such as ``CC-BY-3.0-IT``; null where the statement names none."""
    url: str | None = None
    """http(s) address of its text."""
    text: str | None = None
    """The statement, where it is more than an address; cut."""
    stated_in: str
    """Such as ``link rel=license`` or ``column rights``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """One record of a source. A page's items are empty until it has been fetched."""

    native_id: str
    """Its URL or own id; empty where the format has none."""
    ordinal: str
    """``file#row``: where the record stands."""
    kind: Kind
    url: str | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    """Passthrough columns."""
    items: tuple[Item, ...] = ()
    license: License | None = None
    """Where it is stated elsewhere than in ``meta``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """A record or a whole file that could not be read; the ledger counts it as one rejected document."""

    ordinal: str
    reason: IngestReason
    detail: str
    """File, line and what is wrong, for a person."""
