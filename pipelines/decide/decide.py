"""Decide: from measured columns to verdicts, matches and the pool, in seconds, without network or GPU.

Partitions are decided one after another in input order, because the first of two duplicates stays. Within a document
the order is: admit rules, fetch status, image rules, document rules, duplicates, document rules again. A document that
falls never shields a later copy of its images.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.errors import CurateError
from curate.contract.reasons import FetchStatus, Kind, Modality, Reason, Stage, fetch_reason
from curate.contract.schemas import CLIP_MEASURES, MATCHES, POOL, VERDICTS, table_from_rows
from curate.dedup.ordered import OrderedDedup
from curate.measure.align import match_documents
from pipelines.decide.admit import admit
from pipelines.decide.rules import BoundRule, first_reasons, join_kind, rules_at, verdict_rows
from pipelines.recipes.rule_sets import rule_configs
from pipelines.run.context import RunContext, load_documents, load_poison, without_documents
from pipelines.run.folder import read_table, write_table
from pipelines.run.joins import KEY, keys_of, look_up, with_keys, without_keys

IMAGE_COLUMNS = [
    "status", "detail", "num_bytes", "image_id",
    "width", "height", "original_width", "original_height", "original_num_bytes",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What became of one partition."""

    partition: str
    pool: pa.Table
    """POOL rows of the documents that stand."""
    rejections: Counter[tuple[str, str]]
    """(reason, "documents" | "images") -> how many."""


@dataclass(kw_only=True, slots=True)
class Partition:
    """A partition while it is decided."""

    name: str
    documents: pa.Table
    items: pa.Table
    """Of documents not rejected by admit rules."""
    verdicts: list[dict[str, object]]
    images: pa.Table
    """Of images not rejected so far, one row each, with kind and scores."""
    clip: pa.Table
    words: dict[str, tuple[int, int]]
    """doc_id -> words and characters of all its text."""
    num_texts: dict[str, int] = field(default_factory=dict)

    def reject(self, rows: list[dict[str, object]]) -> None:
        """Add verdicts on images and drop their rows."""
        self.verdicts += rows
        self.images = without_keys(self.images, {(str(row["doc_id"]), int(str(row["position"]))) for row in rows})

    def reject_documents(self, rows: list[dict[str, object]]) -> None:
        """Add verdicts on documents; their images fall with them."""
        self.verdicts += rows
        doc_ids = [str(row["doc_id"]) for row in rows]
        self.images, self.items = without_documents(self.images, doc_ids), without_documents(self.items, doc_ids)


def decide(context: RunContext, partitions: Sequence[str]) -> Iterator[Decision]:
    """Decide partitions in order; write their verdicts and matches."""
    config = context.recipe.dedup
    dedup = OrderedDedup(config) if config is not None else None
    keep = rule_configs(context.recipe.keep)
    image_rules, document_rules = rules_at("image", keep), rules_at("doc", keep)
    for name in partitions:
        partition = _load(context, name)
        partition.reject(_verdicts_on_images(partition, image_rules))
        reason_of_image = {(row["doc_id"], row["position"]): row for row in partition.verdicts}
        partition.reject_documents(_verdicts_on_documents(partition, document_rules, reason_of_image))
        if dedup is not None:
            _drop_duplicates(partition, dedup, document_rules)
        rejections = Counter(
            (str(row["reason"]), "documents" if row["position"] == -1 else "images") for row in partition.verdicts
        )
        yield Decision(partition=name, pool=_finish(context, partition), rejections=rejections)


def _load(context: RunContext, name: str) -> Partition:
    admission, documents = admit(context, name), load_documents(context, name)
    poison = load_poison(context, name)
    poisoned = [_document_verdict(doc_id, Stage.ENGINE, Reason.POISON) for doc_id in poison]
    stored = read_table(context.folder.table("fetch", "images", name), columns=[*KEY, *IMAGE_COLUMNS])
    images = look_up(admission.images, stored, IMAGE_COLUMNS)
    if images["status"].null_count:
        raise CurateError(
            f"{name}: {images['status'].null_count} admitted images were never fetched; run the recipe again"
        )
    failed = images.filter(pc.not_equal(images["status"], str(FetchStatus.OK)))
    verdicts = admission.verdicts + poisoned + [
        {"doc_id": row["doc_id"], "position": row["position"], "stage": str(Stage.FETCH),
         "reason": fetch_reason(FetchStatus(row["status"])), "detail": row["detail"]}
        for row in failed.select(["doc_id", "position", "status", "detail"]).to_pylist()
    ]  # fmt: skip
    clip = _load_clip(context, name)
    ok = images.filter(pc.equal(images["status"], str(FetchStatus.OK)))
    scored = look_up(ok, clip, ["best_sim", "alt_sim"])
    text = read_table(context.folder.table("measure", "text", name))
    whole = text.filter(pc.equal(text["position"], -1))
    words = zip(whole["num_words"].to_pylist(), whole["num_chars"].to_pylist(), strict=True)
    texts = text.filter(pc.greater_equal(text["position"], 0)).group_by("doc_id").aggregate([("position", "count")])
    return Partition(
        name=name,
        documents=documents,
        items=admission.items,
        verdicts=verdicts,
        images=join_kind(scored, documents),
        clip=clip,
        words=dict(zip(whole["doc_id"].to_pylist(), words, strict=True)),
        num_texts=dict(zip(texts["doc_id"].to_pylist(), texts["position_count"].to_pylist(), strict=True)),
    )


def _load_clip(context: RunContext, name: str) -> pa.Table:
    if context.recipe.clip is None:
        return CLIP_MEASURES.empty_table()
    return read_table(context.folder.table("measure", "clip", name))


def _verdicts_on_images(partition: Partition, rules: Sequence[BoundRule]) -> list[dict[str, object]]:
    return verdict_rows(partition.images, first_reasons(partition.images, rules), stage=Stage.KEEP)


def _verdicts_on_documents(
    partition: Partition, rules: Sequence[BoundRule], reason_of_image: dict[Any, dict[str, object]]
) -> list[dict[str, object]]:
    """Return verdicts on whole documents, judged by the images that survive."""
    batch = _document_batch(partition)
    rejected = verdict_rows(batch, first_reasons(batch, rules), stage=Stage.DOCUMENT, whole_document=True)
    seen = {row["doc_id"] for row in rejected}
    without_image = batch.filter(pc.and_(pc.equal(batch["kind"], str(Kind.PAIR)), pc.equal(batch["num_images"], 0)))[
        "doc_id"
    ].to_pylist()
    bare = set(without_image) - seen
    # A pair is its image: it falls with it and for its reason, which tells more than "no image left".
    items = partition.items.filter(pc.equal(partition.items["modality"], str(Modality.IMAGE)))
    for doc_id, position in zip(items["doc_id"].to_pylist(), items["position"].to_pylist(), strict=True):
        cause = reason_of_image.get((doc_id, position))
        if doc_id in bare and cause is not None:
            bare.discard(doc_id)
            rejected.append({**cause, "position": -1})
    return rejected


def _document_batch(partition: Partition) -> pa.Table:
    """Return one row per document that still stands, with what document rules read."""
    standing = set(partition.items["doc_id"].to_pylist())
    documents = [row for row in partition.documents.select(["doc_id", "kind"]).to_pylist() if row["doc_id"] in standing]
    num_images = _counts(partition.images)
    for row in documents:
        row["num_images"] = num_images.get(row["doc_id"], 0)
        row["num_words"] = partition.words.get(row["doc_id"], (0, 0))[0]
        row["num_texts"] = partition.num_texts.get(row["doc_id"], 0)
    fields = [("doc_id", pa.string()), ("kind", pa.string()), ("num_images", pa.int32())]
    return pa.Table.from_pylist(
        documents, schema=pa.schema([*fields, ("num_words", pa.int32()), ("num_texts", pa.int32())])
    )


def _drop_duplicates(partition: Partition, dedup: OrderedDedup, rules: Sequence[BoundRule]) -> None:
    candidates = look_up(partition.images.select(["doc_id", "position", "image_id"]), partition.clip, ["embedding"])
    batch = {row["doc_id"]: row for row in _document_batch(partition).to_pylist()}
    schema = _document_batch(partition).schema
    refused: dict[str, str] = {}

    def accept(doc_id: str, positions: list[int]) -> bool:
        row = {**batch[doc_id], "num_images": len(positions)}
        reason = first_reasons(pa.Table.from_pylist([row], schema=schema), rules)[0].as_py()
        if reason is None and row["kind"] == str(Kind.PAIR) and not positions:
            reason = "duplicate"
        if reason is not None:
            refused[doc_id] = reason
        return reason is None

    duplicates = dedup.decide(candidates, accept=accept)
    rows: list[dict[str, object]] = [
        {"doc_id": d.doc_id, "position": d.position, "stage": str(Stage.DEDUP), "reason": str(d.reason),
         "detail": f"of {d.original}"}
        for d in duplicates
    ]  # fmt: skip
    partition.reject(rows)
    reason_of_image = {(row["doc_id"], row["position"]): row for row in rows}
    partition.reject_documents(
        [row for row in _verdicts_on_documents(partition, rules, reason_of_image) if row["doc_id"] in refused]
    )


def _finish(context: RunContext, partition: Partition) -> pa.Table:
    """Write a decided partition and return its POOL rows."""
    folder, name = context.folder, partition.name
    verdicts = table_from_rows(partition.verdicts, VERDICTS)
    write_table(folder.table("verdicts", "", name), verdicts, schema=VERDICTS, made_from="decided")
    kept = partition.images.select(["doc_id", "position"])
    matched = match_documents(with_keys(partition.clip, set(keys_of(kept))), partition.items)
    matches = look_up(kept, matched, ["matched_position", "matched_sim"]).cast(MATCHES)
    write_table(folder.table("matches", "", name), matches, schema=MATCHES, made_from="decided")
    return _pool(partition)


def _pool(partition: Partition) -> pa.Table:
    standing = set(partition.items["doc_id"].to_pylist())
    num_images, num_bytes = _counts(partition.images), _sums(partition.images, "num_bytes")
    lengths = pc.fill_null(pc.binary_length(partition.items["text"]), 0)
    text_bytes = _sums(partition.items.select(["doc_id"]).append_column("text_bytes", lengths), "text_bytes")
    rows: list[dict[str, object]] = [
        {
            "doc_id": doc_id,
            "partition": partition.name,
            "source": source,
            "kind": kind,
            "num_images": num_images.get(doc_id, 0),
            "num_words": partition.words.get(doc_id, (0, 0))[0],
            "num_chars": partition.words.get(doc_id, (0, 0))[1],
            "num_bytes": num_bytes.get(doc_id, 0) + text_bytes.get(doc_id, 0),
        }
        for doc_id, source, kind in zip(
            *(partition.documents[column].to_pylist() for column in ("doc_id", "source", "kind")), strict=True
        )
        if doc_id in standing
    ]
    return table_from_rows(rows, POOL)


def _counts(table: pa.Table) -> dict[str, int]:
    counts = pc.value_counts(table["doc_id"])
    return dict(zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True))


def _sums(table: pa.Table, column: str) -> dict[str, int]:
    sums = table.group_by("doc_id").aggregate([(column, "sum")])
    return dict(zip(sums["doc_id"].to_pylist(), sums[f"{column}_sum"].to_pylist(), strict=True))


def _document_verdict(doc_id: str, stage: Stage, reason: str) -> dict[str, object]:
    return {"doc_id": doc_id, "position": -1, "stage": str(stage), "reason": str(reason)}
