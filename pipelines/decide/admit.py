"""Admit: rules on text and URLs, read from measured columns before any image is fetched.

Nothing is stored: the fetch stage and the decision both ask here, and the answer takes milliseconds.
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.reasons import Modality, Stage
from curate.contract.schemas import WHOLE_DOCUMENT
from curate.contract.verdicts import Verdict, read_verdicts
from pipelines.decide.rules import first_reasons, join_kind, rules_at, verdicts_by
from pipelines.recipes.rule_sets import rule_configs
from pipelines.run.context import RunContext, load_documents, load_items, load_poison
from pipelines.run.joins import without_documents
from pipelines.run.tables import INGEST_VERDICTS, PAGE_VERDICTS, TEXT_MEASURES, URL_COUNTS

IMAGE_COLUMNS = ("doc_id", "position", "image_url", "expected_sha256")


@dataclass(frozen=True, kw_only=True, slots=True)
class Admission:
    """What of a partition may be fetched, and why the rest may not."""

    verdicts: list[Verdict]
    """Faults of records and pages, then rules on text and on URLs."""
    images: pa.Table
    """doc_id, position, image_url, expected_sha256 of the admitted image items, in document order."""
    items: pa.Table
    """Items of the documents that are not rejected."""


def admit(context: RunContext, partition: str) -> Admission:
    """Apply the admit rules to a partition."""
    documents, items = load_documents(context, partition), load_items(context, partition)
    verdicts = _earlier_verdicts(context, partition)
    # A document that was set aside later may have been measured before: its poison is its one reason.
    rejected = [*(verdict.doc_id for verdict in verdicts), *load_poison(context, partition)]
    verdicts += _text_verdicts(context, partition, without_documents(documents, rejected))
    items = without_documents(items, [verdict.doc_id for verdict in verdicts])
    images = items.filter(pc.equal(items["modality"], str(Modality.IMAGE)))
    images = images.select([name for name in IMAGE_COLUMNS if name in images.column_names])
    url_verdicts, admitted = _url_verdicts(context, documents, images)
    return Admission(verdicts=verdicts + url_verdicts, images=admitted, items=items)


def load_url_counts(context: RunContext) -> dict[str, int]:
    """Return how often each repeated image URL occurs in the run."""
    if context.folder.stamp(URL_COUNTS) is None:
        return {}
    counts = context.folder.read(URL_COUNTS)
    return dict(zip(counts["image_url"].to_pylist(), counts["url_count"].to_pylist(), strict=True))


def _earlier_verdicts(context: RunContext, partition: str) -> list[Verdict]:
    tables = [table for table in (INGEST_VERDICTS, PAGE_VERDICTS) if context.folder.stamp(table, partition) is not None]
    return [verdict for table in tables for verdict in read_verdicts(context.folder.read(table, partition))]


def _text_verdicts(context: RunContext, partition: str, documents: pa.Table) -> list[Verdict]:
    rules = rules_at("text", rule_configs(context.recipe.admit))
    if not rules or not documents.num_rows:
        return []
    measures = context.folder.read(TEXT_MEASURES, partition)
    of_documents = measures.filter(pc.equal(measures["position"], WHOLE_DOCUMENT)).drop_columns(["position"])
    batch = documents.select(["doc_id", "kind"]).join(of_documents, "doc_id", "doc_id", "inner")
    batch = batch.take(pc.sort_indices(pc.index_in(batch["doc_id"], documents["doc_id"])))
    return verdicts_by(first_reasons(batch, rules), batch, stage=Stage.ADMIT, on_documents=True)


def _url_verdicts(context: RunContext, documents: pa.Table, images: pa.Table) -> tuple[list[Verdict], pa.Table]:
    rules = rules_at("url", rule_configs(context.recipe.admit))
    if not rules or not images.num_rows:
        return [], images
    counts = load_url_counts(context)
    url_count = pa.array([counts.get(url, 1) for url in images["image_url"].to_pylist()], pa.int64())
    batch = join_kind(images, documents).append_column("url_count", url_count)
    reasons = first_reasons(batch, rules)
    return verdicts_by(reasons, batch, stage=Stage.ADMIT), images.filter(pc.is_null(reasons))
