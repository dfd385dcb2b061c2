"""The truth about a world: one JSON line a document, with what each of its images is and must end in."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.demo.documents import ImageRole, Variant, WorldDocument, WorldImage, WorldSource


@dataclass(frozen=True, kw_only=True, slots=True)
class TruthDocument:
    """What is known about one record of one source."""

    source: WorldSource
    row: int
    """Of the source's file, from 0."""
    url: str | None
    """Of the page; None where the format has none."""
    lang: str
    expected: tuple[str, ...]
    """Reason codes of the whole document, of which any is right; empty where it should be kept."""
    images: tuple[WorldImage, ...]
    """Of the article and, with role ``boilerplate``, of the page around it."""


def truth_of(document: WorldDocument, row: int) -> TruthDocument:
    """Return what ``document`` must end in."""
    return TruthDocument(
        source=document.source,
        row=row,
        url=document.url,
        lang=document.lang,
        expected=document.expected,
        images=(*document.images, *document.boilerplate),
    )


def write_truth(path: Path, documents: Sequence[TruthDocument]) -> None:
    """Write one JSON line a document."""
    lines = (json.dumps(_document_to_json(document), ensure_ascii=False) for document in documents)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read_truth(path: Path) -> tuple[TruthDocument, ...]:
    """Read what ``write_truth`` wrote."""
    return tuple(_document_from_json(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines())


def _document_to_json(document: TruthDocument) -> dict[str, Any]:
    return {
        "source": document.source,
        "row": document.row,
        "url": document.url,
        "lang": document.lang,
        "expected": document.expected,
        "images": [
            {name: getattr(image, name) for name in ("url", "role", "sentence", "group", "variant", "expected")}
            for image in document.images
        ],
    }


def _document_from_json(entry: dict[str, Any]) -> TruthDocument:
    images = (
        WorldImage(
            url=image["url"],
            role=ImageRole(image["role"]),
            sentence=image["sentence"],
            group=image["group"],
            variant=None if image["variant"] is None else Variant(image["variant"]),
            expected=tuple(image["expected"]),
        )
        for image in entry["images"]
    )
    return TruthDocument(
        source=WorldSource(entry["source"]),
        row=entry["row"],
        url=entry["url"],
        lang=entry["lang"],
        expected=tuple(entry["expected"]),
        images=tuple(images),
    )
