"""Apply rules of the recipe to batches: the first rule that rejects a row gives its reason."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from curate.contract.reasons import Stage
from filters.registry import RULES

BoundRule = Callable[[pa.RecordBatch], pa.StringArray]


def rules_at(level: str, configs: Mapping[str, BaseModel]) -> list[BoundRule]:
    """Return the recipe's rules of one level (text, url, image, doc), options bound."""
    return [
        partial(RULES[name].function, config=config) for name, config in configs.items() if RULES[name].level == level
    ]


def first_reasons(batch: pa.Table, rules: Sequence[BoundRule]) -> pa.StringArray:
    """Return one reason per row, null where every rule keeps it."""
    rows = batch.combine_chunks()
    record_batch = rows.to_batches()[0] if rows.num_rows else pa.RecordBatch.from_pylist([], schema=rows.schema)
    reasons = pa.nulls(record_batch.num_rows, pa.string())
    for rule in rules:
        reasons = pc.coalesce(reasons, rule(record_batch))
    return reasons


def verdict_rows(
    batch: pa.Table, reasons: pa.StringArray, *, stage: Stage, whole_document: bool = False
) -> list[dict[str, object]]:
    """Return VERDICTS rows for the rows that have a reason."""
    rejected = pc.is_valid(reasons)
    doc_ids = batch["doc_id"].filter(rejected).to_pylist()
    positions = [-1] * len(doc_ids) if whole_document else batch["position"].filter(rejected).to_pylist()
    codes = reasons.filter(rejected).to_pylist()
    return [
        {"doc_id": doc_id, "position": position, "stage": str(stage), "reason": reason}
        for doc_id, position, reason in zip(doc_ids, positions, codes, strict=True)
    ]


def join_kind(rows: pa.Table, documents: pa.Table) -> pa.Table:
    """Append each row's document kind; the order of rows stays."""
    kinds = documents["kind"].combine_chunks().take(pc.index_in(rows["doc_id"], documents["doc_id"]).combine_chunks())
    return rows.append_column("kind", kinds)
