"""Read decided documents of a partition back as samples for the shard writer."""

import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from curate.contract.reasons import Modality
from pipelines.decide.decision import Decision
from pipelines.decide.finish import load_decided
from pipelines.run.context import RunContext, load_documents, load_items
from pipelines.run.joins import keys_of, only_documents
from pipelines.run.stored import iterate_rows
from pipelines.run.tables import CLIP_MEASURES, IMAGES
from pipelines.write.origins import format_time, load_page_facts, provenance, tells_fetches
from shards.sample import Sample, SampleImage, SampleText

IMAGE_COLUMNS = ["doc_id", "position", "image_url", "image_id", "width", "height"]
TIME_COLUMN = "fetched_at"


def load_samples(
    context: RunContext, decision: Decision, number: int, partition: str, doc_ids: Iterable[str]
) -> dict[str, Sample]:
    """Return documents as samples, holding only their kept images, each at its natural place.

    Args:
        context: The run.
        decision: That says what is kept of them.
        number: Of the partition.
        partition: Where the documents are.
        doc_ids: Kept documents of it.
    """
    wanted = sorted(set(doc_ids))
    items = only_documents(load_items(context, partition), wanted)
    matches = only_documents(load_decided(context, decision, decision.matches, number, partition), wanted)
    is_full = context.recipe.shards.provenance == "full"
    columns = [*IMAGE_COLUMNS, TIME_COLUMN] if is_full else IMAGE_COLUMNS
    images = _load_images(context, partition, matches, columns=columns)
    scores = _load_scores(context, partition, wanted)
    matched = {(row["doc_id"], row["position"]): row for row in matches.to_pylist()}
    documents = {row["doc_id"]: row for row in only_documents(load_documents(context, partition), wanted).to_pylist()}
    facts = load_page_facts(context, partition, documents)
    by_document: dict[str, list[dict[str, Any]]] = {doc_id: [] for doc_id in wanted}
    for row in items.to_pylist():
        key = (row["doc_id"], row["position"])
        if row["modality"] == str(Modality.TEXT) or key in matched:
            by_document[row["doc_id"]].append(row | images.get(key, {}) | scores.get(key, {}) | matched.get(key, {}))
    return {
        doc_id: _sample(context, documents[doc_id], rows, facts=facts.get(doc_id, {}))
        for doc_id, rows in by_document.items()
    }


def _sample(
    context: RunContext, document: dict[str, Any], rows: list[dict[str, Any]], *, facts: dict[str, Any]
) -> Sample:
    """Renumber positions, once and only here: a match is given by its place among the items that stay."""
    place = {row["position"]: number for number, row in enumerate(rows)}
    return Sample(
        doc_id=document["doc_id"],
        kind=document["kind"],
        source=document["source"],
        url=document["url"],
        items=tuple(_item(row, place) for row in rows),
        provenance=provenance(document, facts, with_time=tells_fetches(context, document["source"])),
        license=facts.get("license") or document["license"],
        meta=json.loads(document["meta"]),
    )


def _item(row: dict[str, Any], place: dict[int, int]) -> SampleText | SampleImage:
    if row["modality"] == str(Modality.TEXT):
        return SampleText(text=row["text"], role=row["role"])
    return SampleImage(
        data=row["data"],
        image_id=row["image_id"],
        url=row["image_url"],
        width=row["width"],
        height=row["height"],
        matched_item=None if row["matched_position"] is None else place[row["matched_position"]],
        matched_sim=row["matched_sim"],
        best_sim=row.get("best_sim"),
        alt=row["alt_text"],
        similarity=row.get("similarity"),
        fetched_at=format_time(row.get(TIME_COLUMN)),
    )


def _load_scores(context: RunContext, partition: str, wanted: list[str]) -> dict[tuple[str, int], dict[str, Any]]:
    if context.recipe.clip is None:
        return {}
    columns = ["doc_id", "position", "best_sim", "similarity"]
    scores = only_documents(context.folder.read(CLIP_MEASURES, partition, columns=columns), wanted)
    return {(row["doc_id"], row["position"]): row for row in scores.to_pylist()}


def _load_images(
    context: RunContext, partition: str, matches: pa.Table, *, columns: list[str]
) -> dict[tuple[str, int], dict[str, Any]]:
    """Return the rows of kept images with their bytes, reading only the row groups that hold one."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    kept = set(keys_of(matches))
    for rows in iterate_rows(context, IMAGES, partition, columns=[*columns, "data"], keys=kept):
        found |= dict(zip(keys_of(rows), rows.to_pylist(), strict=True))
    return found
