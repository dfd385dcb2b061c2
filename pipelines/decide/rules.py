"""Apply rules of the recipe to batches: the first rule that rejects a row gives its reason."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from curate.contract.reasons import Stage
from curate.contract.schemas import WHOLE_DOCUMENT
from curate.contract.verdicts import Verdict
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


def verdicts_by(reasons: pa.StringArray, batch: pa.Table, *, stage: Stage, on_documents: bool = False) -> list[Verdict]:
    """Return verdicts on the rows of ``batch`` that have a reason: on their images, or on their documents."""
    rejected = pc.is_valid(reasons)
    doc_ids = batch["doc_id"].filter(rejected).to_pylist()
    positions = [WHOLE_DOCUMENT] * len(doc_ids) if on_documents else batch["position"].filter(rejected).to_pylist()
    codes = reasons.filter(rejected).to_pylist()
    return [
        Verdict(doc_id=doc_id, position=position, stage=stage, reason=reason)
        for doc_id, position, reason in zip(doc_ids, positions, codes, strict=True)
    ]


def join_kind(rows: pa.Table, documents: pa.Table) -> pa.Table:
    """Append each row's document kind; the order of rows stays."""
    kinds = documents["kind"].combine_chunks().take(pc.index_in(rows["doc_id"], documents["doc_id"]).combine_chunks())
    return rows.append_column("kind", kinds)
