"""Apply rules of the recipe to batches: the first rule that rejects a row gives its reason."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

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
