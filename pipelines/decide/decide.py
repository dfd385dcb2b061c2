"""Decide: from measured columns to verdicts, matches and the pool, in seconds, without network or GPU.

Partitions are decided one after another in input order, because the first of two duplicates stays. Within a document
the order is: admit rules, fetch status, image rules, document rules, duplicates, document rules again. A document that
falls never shields a later copy of its images.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.errors import CurateError
from curate.contract.reasons import FetchStatus, Kind, Modality, Reason, Stage, fetch_reason
from curate.contract.schemas import WHOLE_DOCUMENT, table_from_rows
from curate.contract.verdicts import Verdict, verdict_table
from curate.dedup.ordered import OrderedDedup
from curate.measure.align import match_documents
from pipelines.decide.admit import admit
from pipelines.decide.rules import BoundRule, first_reasons, join_kind, rules_at, verdicts_by
from pipelines.recipes.rule_sets import rule_configs
from pipelines.run.context import RunContext, load_documents, load_poison, load_too_large
from pipelines.run.joins import KEY, keys_of, look_up, with_keys, without_documents, without_keys
from pipelines.run.tables import CLIP_MEASURES, IMAGES, MATCHES, POOL, TEXT_MEASURES, VERDICTS

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
    verdicts: list[Verdict]
    images: pa.Table
    """Of images not rejected so far, one row each, with kind and scores."""
    clip: pa.Table
    words: dict[str, tuple[int, int]]
    """doc_id -> words and characters of all its text."""
    num_texts: dict[str, int] = field(default_factory=dict)

    def reject_images(self, verdicts: list[Verdict]) -> None:
        """Add verdicts on images and drop their rows."""
        self.verdicts += verdicts
        self.images = without_keys(self.images, {verdict.key for verdict in verdicts})

    def reject_documents(self, verdicts: list[Verdict]) -> None:
        """Add verdicts on documents; their images fall with them."""
        self.verdicts += verdicts
        doc_ids = [verdict.doc_id for verdict in verdicts]
        self.images, self.items = without_documents(self.images, doc_ids), without_documents(self.items, doc_ids)


def decide(context: RunContext, partitions: Sequence[str]) -> Iterator[Decision]:
    """Decide partitions in order; write their verdicts and matches."""
    config = context.recipe.dedup
    dedup = OrderedDedup(config) if config is not None else None
    keep = rule_configs(context.recipe.keep)
    image_rules, document_rules = rules_at("image", keep), rules_at("doc", keep)
    for name in partitions:
        partition = _load(context, name)
        partition.reject_images(_verdicts_on_images(partition, image_rules))
        partition.reject_documents(_verdicts_on_documents(partition, document_rules, partition.verdicts))
        if dedup is not None:
            _drop_duplicates(partition, dedup, document_rules)
        rejections = Counter(
            (str(verdict.reason), "documents" if verdict.position == WHOLE_DOCUMENT else "images")
            for verdict in partition.verdicts
        )
        yield Decision(partition=name, pool=_finish(context, partition), rejections=rejections)


def _load(context: RunContext, name: str) -> Partition:
    admission, documents = admit(context, name), load_documents(context, name)
    too_large = load_too_large(context, name)
    poisoned = [
        Verdict(doc_id=one, stage=Stage(stage), reason=Reason.TOO_LARGE if one in too_large else Reason.POISON)
        for one, stage in load_poison(context, name).items()
    ]
    stored = context.folder.read(IMAGES, name, columns=[*KEY, *IMAGE_COLUMNS])
    images = look_up(admission.images, stored, IMAGE_COLUMNS)
    if images["status"].null_count:
        raise CurateError(
            f"{name}: {images['status'].null_count} admitted images were never fetched; run the recipe again"
        )
    failed = images.filter(pc.not_equal(images["status"], str(FetchStatus.OK)))
    not_fetched = [
        Verdict(
            doc_id=row["doc_id"],
            position=row["position"],
            stage=Stage.FETCH_IMAGES,
            reason=fetch_reason(FetchStatus(row["status"])),
            detail=row["detail"],
        )
        for row in failed.select(["doc_id", "position", "status", "detail"]).to_pylist()
    ]
    clip = _load_clip(context, name)
    ok = images.filter(pc.equal(images["status"], str(FetchStatus.OK)))
    scored = look_up(ok, clip, ["best_sim", "alt_sim"])
    text = context.folder.read(TEXT_MEASURES, name)
    whole = text.filter(pc.equal(text["position"], WHOLE_DOCUMENT))
    words = zip(whole["num_words"].to_pylist(), whole["num_chars"].to_pylist(), strict=True)
    texts = text.filter(pc.greater_equal(text["position"], 0)).group_by("doc_id").aggregate([("position", "count")])
    return Partition(
        name=name,
        documents=documents,
        items=admission.items,
        verdicts=[*admission.verdicts, *poisoned, *not_fetched],
        images=join_kind(scored, documents),
        clip=clip,
        words=dict(zip(whole["doc_id"].to_pylist(), words, strict=True)),
        num_texts=dict(zip(texts["doc_id"].to_pylist(), texts["position_count"].to_pylist(), strict=True)),
    )


def _load_clip(context: RunContext, name: str) -> pa.Table:
    if context.recipe.clip is None:
        return CLIP_MEASURES.schema.empty_table()
    return context.folder.read(CLIP_MEASURES, name)


def _verdicts_on_images(partition: Partition, rules: Sequence[BoundRule]) -> list[Verdict]:
    return verdicts_by(first_reasons(partition.images, rules), partition.images, stage=Stage.KEEP)


def _verdicts_on_documents(
    partition: Partition, rules: Sequence[BoundRule], on_images: Sequence[Verdict]
) -> list[Verdict]:
    """Return verdicts on whole documents, judged by the images that survive ``on_images``."""
    batch = _document_batch(partition)
    rejected = verdicts_by(first_reasons(batch, rules), batch, stage=Stage.KEEP, on_documents=True)
    seen = {verdict.doc_id for verdict in rejected}
    without_image = batch.filter(pc.and_(pc.equal(batch["kind"], str(Kind.PAIR)), pc.equal(batch["num_images"], 0)))[
        "doc_id"
    ].to_pylist()
    bare, causes = set(without_image) - seen, {verdict.key: verdict for verdict in on_images}
    # A pair is its image: it falls with it and for its reason, which tells more than "no image left".
    items = partition.items.filter(pc.equal(partition.items["modality"], str(Modality.IMAGE)))
    for doc_id, position in zip(items["doc_id"].to_pylist(), items["position"].to_pylist(), strict=True):
        cause = causes.get((doc_id, position))
        if doc_id in bare and cause is not None:
            bare.discard(doc_id)
            rejected.append(replace(cause, position=WHOLE_DOCUMENT))
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
    verdicts = [
        Verdict(doc_id=d.doc_id, position=d.position, stage=Stage.DEDUP, reason=d.reason, detail=f"of {d.original}")
        for d in duplicates
    ]
    partition.reject_images(verdicts)
    partition.reject_documents(
        [verdict for verdict in _verdicts_on_documents(partition, rules, verdicts) if verdict.doc_id in refused]
    )


def _finish(context: RunContext, partition: Partition) -> pa.Table:
    """Write a decided partition and return its POOL rows."""
    folder, name = context.folder, partition.name
    folder.write(VERDICTS, name, rows=verdict_table(partition.verdicts), made_from="decided")
    kept = partition.images.select(["doc_id", "position"])
    matched = match_documents(with_keys(partition.clip, set(keys_of(kept))), partition.items)
    matches = look_up(kept, matched, ["matched_position", "matched_sim"]).cast(MATCHES.schema)
    folder.write(MATCHES, name, rows=matches, made_from="decided")
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
    return table_from_rows(rows, POOL.schema)


def _counts(table: pa.Table) -> dict[str, int]:
    counts = pc.value_counts(table["doc_id"])
    return dict(zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True))


def _sums(table: pa.Table, column: str) -> dict[str, int]:
    sums = table.group_by("doc_id").aggregate([(column, "sum")])
    return dict(zip(sums["doc_id"].to_pylist(), sums[f"{column}_sum"].to_pylist(), strict=True))
