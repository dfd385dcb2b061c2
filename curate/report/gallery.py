"""Turn the rows of sampled documents into gallery entries: items in document order, matches, scores, reasons."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.reasons import Modality, Reason
from curate.contract.schemas import WHOLE_DOCUMENT
from curate.report.data import GalleryDocument, ShownImage, ShownText

NUM_COLOURS = 8
MAX_ITEMS = 60
MAX_TEXT_CHARS = 1200

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class PartitionTables:
    """The tables of one partition, as in ``curate.contract.schemas``; what a run does not have is null."""

    documents: pa.Table
    items: pa.Table
    verdicts: pa.Table
    images: pa.Table | None = None
    """May lack ``data`` where the bytes are loaded later."""
    clip: pa.Table | None = None
    text: pa.Table | None = None
    matches: pa.Table | None = None


def build_entries(tables: PartitionTables, doc_ids: Sequence[str]) -> dict[str, GalleryDocument]:
    """Return the gallery entries of ``doc_ids``, without thumbnails, in their order."""
    names = ("documents", "items", "verdicts", "images", "clip", "text", "matches")
    rows = {name: _rows_by_doc(getattr(tables, name), doc_ids) for name in names}
    return {doc_id: _build_entry({name: rows[name].get(doc_id, []) for name in names}) for doc_id in doc_ids}


def add_thumbnails(entry: GalleryDocument, thumbnails: Mapping[int, str | None]) -> GalleryDocument:
    """Return ``entry`` with the ``data:`` URIs of its images, keyed by position."""
    items = tuple(
        replace(item, thumbnail=thumbnails.get(item.position)) if isinstance(item, ShownImage) else item
        for item in entry.items
    )
    return replace(entry, items=items)


def rows_of(table: pa.Table | None, doc_ids: Sequence[str]) -> pa.Table | None:
    """Return the rows of ``doc_ids``."""
    if table is None or not table.num_rows:
        return None
    return table.filter(pc.is_in(table.column("doc_id"), value_set=pa.array(doc_ids, pa.string())))


def _rows_by_doc(table: pa.Table | None, doc_ids: Sequence[str]) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = defaultdict(list)
    found = rows_of(table, doc_ids)
    if found is not None:
        # Bytes and embeddings are large and not shown.
        for row in found.drop_columns([c for c in ("data", "embedding") if c in found.column_names]).to_pylist():
            grouped[row["doc_id"]].append(row)
    return grouped


def _build_entry(rows: Mapping[str, list[Row]]) -> GalleryDocument:
    document = rows["documents"][0]
    verdicts = {row["position"]: row for row in rows["verdicts"]}
    verdict = verdicts.get(WHOLE_DOCUMENT)
    measure = next((row for row in rows["text"] if row["position"] == WHOLE_DOCUMENT), {})
    items = sorted(rows["items"], key=lambda row: int(row["position"]))
    images = _build_images(items, rows, verdicts)
    shown = items[:MAX_ITEMS]
    return GalleryDocument(
        doc_id=document["doc_id"],
        source=document["source"],
        kind=document["kind"],
        url=document["url"],
        reason=verdict["reason"] if verdict else None,
        stage=verdict["stage"] if verdict else None,
        detail=verdict.get("detail") if verdict else None,
        num_words=measure.get("num_words"),
        lang=measure.get("lang"),
        lang_prob=measure.get("lang_prob"),
        items=tuple(images.get(row["position"]) or _build_text(row, images) for row in shown),
        num_left_out=len(items) - len(shown),
    )


def _build_images(
    items: list[Row], rows: Mapping[str, list[Row]], verdicts: Mapping[int, Row]
) -> dict[int, ShownImage]:
    """Return the image items by position, numbered and coloured in document order."""
    fetched = {row["position"]: row for row in rows["images"]}
    scores = {row["position"]: row for row in rows["clip"]}
    matches = {row["position"]: row for row in rows["matches"]}
    texts = [row["position"] for row in items if row["modality"] == Modality.TEXT]
    inherited = {"reason": str(Reason.DOC_REJECTED), "detail": None} if WHOLE_DOCUMENT in verdicts else {}
    images: dict[int, ShownImage] = {}
    for row in (row for row in items if row["modality"] == Modality.IMAGE):
        position = row["position"]
        score = scores.get(position, {})
        place, sim = _match(matches.get(position), score, texts)
        fetch, verdict = fetched.get(position, {}), verdicts.get(position, inherited)
        images[position] = ShownImage(
            number=len(images) + 1,
            position=position,
            url=row["image_url"] or "",
            alt=row["alt_text"],
            status=fetch.get("status"),
            reason=verdict.get("reason"),
            detail=verdict.get("detail") or fetch.get("detail"),
            size_px=(fetch["original_width"], fetch["original_height"]) if fetch.get("original_width") else None,
            best_sim=_number(score.get("best_sim")),
            alt_sim=_number(score.get("alt_sim")),
            matched_position=place,
            matched_sim=sim,
            colour=len(images) % NUM_COLOURS if place is not None and _passed(verdict.get("reason")) else None,
        )
    return images


def _match(match: Row | None, score: Row, texts: list[int]) -> tuple[int | None, float | None]:
    """Return the assigned sentence of an image, or else the closest one, and its similarity."""
    if match is not None and match["matched_position"] is not None:
        return match["matched_position"], _number(match["matched_sim"])
    similarity = [float(value) for value in score.get("similarity") or []]
    if not similarity or len(similarity) != len(texts):
        return None, None
    best = max(range(len(texts)), key=similarity.__getitem__)
    return texts[best], similarity[best]


def _build_text(row: Row, images: Mapping[int, ShownImage]) -> ShownText:
    matched = [image for image in images.values() if image.matched_position == row["position"]]
    colours = [image.colour for image in matched if image.colour is not None]
    text = row["text"] or ""
    return ShownText(
        text=text if len(text) <= MAX_TEXT_CHARS else text[:MAX_TEXT_CHARS].rstrip() + " …",
        role=row["role"],
        position=row["position"],
        colour=colours[0] if colours else None,
        matches=tuple((image.number, image.matched_sim, _passed(image.reason)) for image in matched),
    )


def _passed(reason: str | None) -> bool:
    """Say whether an image itself is good: kept, or lost only with its document."""
    return reason is None or reason == Reason.DOC_REJECTED


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
