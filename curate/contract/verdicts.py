"""Verdicts: why a document, or an image of one, is in no shard."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from curate.contract.reasons import Stage
from curate.contract.schemas import VERDICTS, WHOLE_DOCUMENT, table_from_rows


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """One row of VERDICTS."""

    doc_id: str
    position: int = WHOLE_DOCUMENT
    """Of the image in its document."""
    stage: Stage
    """Which passed it."""
    reason: str
    """In ALL_REASONS."""
    detail: str | None = None
    """File and line, doc_id of a duplicate's original, ..."""

    @property
    def key(self) -> tuple[str, int]:
        """What it is about: document and position."""
        return self.doc_id, self.position


def verdict_table(verdicts: Sequence[Verdict]) -> pa.Table:
    """Return verdicts as a table: VERDICTS, in their order."""
    rows: list[dict[str, object]] = [
        {
            "doc_id": verdict.doc_id,
            "position": verdict.position,
            "stage": str(verdict.stage),
            "reason": str(verdict.reason),
            "detail": verdict.detail,
        }
        for verdict in verdicts
    ]
    return table_from_rows(rows, VERDICTS)


def read_verdicts(table: pa.Table) -> list[Verdict]:
    """Return the rows of a VERDICTS table.

    Raises:
        ValueError: A stage that is none: the table is of another version.
    """
    return [Verdict(**{**row, "stage": Stage(row["stage"])}) for row in table.to_pylist()]
