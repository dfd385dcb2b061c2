"""What a takedown does to a partition: first it is looked for, then its bytes leave every table.

Addresses stay, as tombstones: they say what is not to be fetched again. Texts and metadata of documents that were taken
down go, and measures of their images; what is left of the partition is measured as before, so nothing is scored again.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.reasons import Modality, Stage
from pipelines.decide.facts import Facts
from pipelines.decide.facts_table import gather_facts, load_facts
from pipelines.engine.loop import Report
from pipelines.run.context import RunContext
from pipelines.run.drop_rows import drop_rows
from pipelines.run.joins import keys_of, without_keys
from pipelines.run.removals import Removals, removals_for
from pipelines.run.stored import Key, read_rows
from pipelines.run.tables import (
    CLIP_MEASURES,
    DOCUMENTS,
    HELD_IMAGES,
    IMAGE_MEASURES,
    IMAGES,
    ITEMS,
    PAGES,
    Table,
)
from pipelines.stages.measure import clip_fingerprint, image_fingerprint, measure_partition_text
from pipelines.stages.pages import parse_pages

FACTS_COLUMNS = ["document", "position", "doc_id", "url", "image_url", "image_id"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Affected:
    """What of a partition is to be gone."""

    documents: frozenset[str]
    """doc_ids."""
    images: frozenset[tuple[str, int]]
    """doc_id and position; those of the documents among them."""
    named: frozenset[tuple[str, int]]
    """Of the images those that are on the list themselves, by address or hash: their bytes go wherever they are."""

    def __bool__(self) -> bool:
        """Say whether there is anything."""
        return bool(self.documents or self.images)


def look_for(context: RunContext, partition: str) -> Report:
    """Find what is to be gone; report what else of it has to be on the list, so that it stays away.

    A page may have led to a host on the list by a redirect, and a picture may be known by a hash of what was fetched.
    """
    facts, removals = load_facts(context, partition, columns=FACTS_COLUMNS), removals_for(context)
    affected = find_affected(context, partition, facts, removals)
    urls = {url for doc_id, url in _column_pairs(facts.documents, "url") if doc_id in affected.documents and url}
    own, hashes = image_keys(facts), facts.images["image_id"].to_pylist()
    gone = [row for row, key in enumerate(own) if key in affected.named]
    image_urls = facts.images["image_url"].to_pylist()
    more = Removals.of(
        {
            "urls": [*urls, *(image_urls[row] for row in gone if image_urls[row])],
            "sha256": [hashes[row].hex() for row in gone if hashes[row] is not None],
        }
    )
    counters = {"documents": len(affected.documents), "images": len(affected.images)}
    return Report(stage=Stage.ADMIT, partition=partition, counters=counters, found=more if affected else None)


def delete_bytes(context: RunContext, partition: str) -> Report:
    """Delete what is on the list from every table of a partition, and gather its facts again."""
    removals = removals_for(context)
    affected = find_affected(context, partition, load_facts(context, partition, columns=FACTS_COLUMNS), removals)
    _drop_stored(context, IMAGES, partition, set(affected.images))
    is_of_pages = _drop_stored(context, PAGES, partition, {(doc_id,) for doc_id in affected.documents})
    _rewrite(context, HELD_IMAGES, partition, lambda rows: without_keys(rows, set(affected.images)))
    _rewrite(context, DOCUMENTS, partition, lambda rows: _without_meta(rows, affected))
    if is_of_pages:
        parse_pages(context, partition)
    else:
        _rewrite(context, ITEMS, partition, lambda rows: _without_text(rows, affected))
    measure_partition_text(context, partition)
    measured = [
        (IMAGE_MEASURES, image_fingerprint(context, partition)),
        (CLIP_MEASURES, clip_fingerprint(context, partition)),
    ]
    for table, made_from in measured:
        if made_from:
            rows = without_keys(context.folder.read(table, partition), set(affected.images))
            context.folder.write(table, partition, rows=rows, made_from=made_from)
    return gather_facts(context, partition)


def find_affected(context: RunContext, partition: str, facts: Facts, removals: Removals) -> Affected:
    """Return what of a partition is on the list."""
    documents = {doc_id for doc_id, url in _column_pairs(facts.documents, "url") if removals.has_url(url)}
    if context.folder.stamp(PAGES, partition) is not None:
        pages = read_rows(context, PAGES, partition, columns=["doc_id", "final_url"])
        documents |= {doc_id for doc_id, url in _column_pairs(pages, "final_url") if removals.has_url(url)}
    hashes = [None if one is None else one.hex() for one in facts.images["image_id"].to_pylist()]
    rows = zip(image_keys(facts), facts.images["image_url"].to_pylist(), hashes, strict=True)
    named = {key for key, url, own in rows if removals.has_url(url) or own in removals.sha256}
    if removals.sha256:
        stored = read_rows(context, IMAGES, partition, columns=["doc_id", "position", "original_sha256"])
        originals = zip(keys_of(stored), stored["original_sha256"].to_pylist(), strict=True)
        named |= {key for key, original in originals if original in removals.sha256}
    swept = {key for key in image_keys(facts) if key[0] in documents}
    return Affected(documents=frozenset(documents), images=frozenset(named | swept), named=frozenset(named))


def image_keys(facts: Facts) -> list[tuple[str, int]]:
    """Return doc_id and position of each image of a partition."""
    doc_ids = np.array(facts.documents["doc_id"].to_pylist(), dtype=object)[facts.document]
    return list(zip(doc_ids.tolist(), facts.images["position"].to_pylist(), strict=True))


def _column_pairs(table: pa.Table, name: str) -> list[tuple[str, str | None]]:
    return list(zip(table["doc_id"].to_pylist(), table[name].to_pylist(), strict=True))


def _drop_stored(context: RunContext, table: Table, partition: str, keys: set[Key]) -> bool:
    """Drop stored rows with their bytes; say whether the partition has the table at all."""
    if context.folder.stamp(table, partition) is None:
        return False
    drop_rows(context, table, partition, keys)
    return True


def _rewrite(context: RunContext, table: Table, partition: str, change: Callable[[pa.Table], pa.Table]) -> None:
    """Write a table again without something, as made from what it was made from: its source still has it."""
    stamp = context.folder.stamp(table, partition)
    if stamp is None:
        return
    rows = context.folder.read(table, partition)
    changed = change(rows)
    if not changed.equals(rows):
        context.folder.write(table, partition, rows=changed, made_from=stamp.fingerprint, note=stamp.note)


def _without_meta(documents: pa.Table, affected: Affected) -> pa.Table:
    meta = [
        "{}" if doc_id in affected.documents else meta
        for doc_id, meta in zip(documents["doc_id"].to_pylist(), documents["meta"].to_pylist(), strict=True)
    ]
    place = documents.schema.get_field_index("meta")
    return documents.set_column(place, documents.schema.field("meta"), pa.array(meta, pa.string()))


def _without_text(items: pa.Table, affected: Affected) -> pa.Table:
    """Return items without the texts of documents, and without what images of theirs are said to show."""
    gone = pc.is_in(items["doc_id"], value_set=pa.array(sorted(affected.documents), pa.string()))
    kept = items.filter(pc.invert(pc.and_(gone, pc.equal(items["modality"], str(Modality.TEXT)))))
    gone = pc.is_in(kept["doc_id"], value_set=pa.array(sorted(affected.documents), pa.string()))
    alt_text = pc.if_else(gone, pa.scalar(None, pa.string()), kept["alt_text"])
    return kept.set_column(kept.schema.get_field_index("alt_text"), kept.schema.field("alt_text"), alt_text)
