"""Where each document and image of a partition ended: its verdict, or none when it was kept.

Everything is a join on ``(doc_id, position)``. Both are packed into one int64 key, so that a partition of a thousand
documents resolves in milliseconds.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.errors import CurateError, SchemaError
from curate.contract.reasons import ALL_REASONS, Modality, Reason, Stage

_POSITION_BITS = 32
_MAX_NAMED = 3  # offending rows spelt out per problem; the rest is a number

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """The end of N documents and their M image items, in the order of the input tables."""

    doc_ids: pa.Array
    """String [N]."""
    doc_reasons: pa.Array
    """String [N]; null = kept."""
    doc_stages: pa.Array
    """String [N]; null = kept."""
    image_docs: IntArray
    """int64 [M]: row of the image's document."""
    image_reasons: pa.Array
    """String [M]; null = kept; ``doc.rejected`` where only the document has a verdict."""
    image_stages: pa.Array
    """String [M]: of the image's own verdict, else of its document's; null = kept."""
    thing_keys: IntArray
    """int64 [N + M]: packed keys of the documents, then of the images."""

    def find(self, doc_ids: Any, positions: Any) -> IntArray:
        """Return the row of each ``(doc_id, position)``: 0..N-1 documents, N..N+M-1 images, -1 unknown."""
        return _find(self.thing_keys, _pack(_rows_of(doc_ids, self.doc_ids), positions))


def column(table: pa.Table, name: str) -> pa.Array:
    """Return a column as one array; raise SchemaError where the table has none of that name."""
    if name not in table.column_names:
        raise SchemaError(f"report: a table has no column {name!r}, only {table.column_names}")
    return (
        pa.concat_arrays(table.column(name).chunks) if table.num_rows else pa.array([], table.schema.field(name).type)
    )


def resolve(documents: pa.Table, items: pa.Table, verdicts: pa.Table) -> Outcomes:
    """Join one partition's verdicts to its documents and image items.

    Args:
        documents: N rows; reads doc_id.
        items: Reads doc_id, position, modality.
        verdicts: At most one row per document (position -1) and per image; reads doc_id, position, reason, stage.

    Raises:
        CurateError: A row that belongs to nothing, a reason outside the closed set, or two verdicts for one thing.
    """
    doc_ids = column(documents, "doc_id")
    images = items.filter(pc.equal(column(items, "modality"), str(Modality.IMAGE)))
    image_docs = _rows_of(column(images, "doc_id"), doc_ids)
    doc_keys = np.arange(len(doc_ids), dtype=np.int64) << _POSITION_BITS
    keys = np.concatenate([doc_keys, _pack(image_docs, column(images, "position"))])
    verdict_keys = _pack(_rows_of(column(verdicts, "doc_id"), doc_ids), column(verdicts, "position"))
    things = _find(keys, verdict_keys)
    _check(documents, images, verdicts, keys=keys, things=things)

    verdict_of = np.full(len(keys), -1, dtype=np.int64)
    verdict_of[things] = np.arange(len(things))
    own = verdict_of[len(doc_ids) :]
    of_doc = verdict_of[: len(doc_ids)]
    reasons, stages = column(verdicts, "reason"), column(verdicts, "stage")
    inherited = of_doc[image_docs]
    orphaned = pa.array([None, str(Reason.DOC_REJECTED)], pa.string()).take(pa.array((inherited >= 0).astype(np.int64)))
    return Outcomes(
        doc_ids=doc_ids,
        doc_reasons=_take(reasons, of_doc),
        doc_stages=_take(stages, of_doc),
        image_docs=image_docs,
        image_reasons=pc.coalesce(_take(reasons, own), orphaned),
        image_stages=_take(stages, np.where(own >= 0, own, inherited)),
        thing_keys=keys,
    )


def count_pairs(first: pa.Array, second: pa.Array) -> list[tuple[str, str | None, int]]:
    """Return each distinct pair and how often it occurs."""
    grouped = pa.table({"first": first, "second": second}).group_by(["first", "second"], use_threads=False)
    counts = grouped.aggregate([([], "count_all")])
    return list(zip(*(counts.column(name).to_pylist() for name in ("first", "second", "count_all")), strict=True))


def _rows_of(values: Any, doc_ids: pa.Array) -> IntArray:
    """Return the row of each id in ``doc_ids``, -1 where it is not there."""
    rows: IntArray = pc.fill_null(pc.index_in(values, value_set=doc_ids), -1).to_numpy(zero_copy_only=False)
    return rows.astype(np.int64)


def _pack(docs: IntArray, positions: Any) -> IntArray:
    """Return one key per (document row, position); -1 where either cannot exist."""
    places = pc.fill_null(positions, -2).to_numpy(zero_copy_only=False).astype(np.int64)
    return np.where((docs < 0) | (places < -1), np.int64(-1), (docs << _POSITION_BITS) + places + 1)


def _find(keys: IntArray, wanted: IntArray) -> IntArray:
    """Return the index of each wanted key in ``keys``, -1 where it is missing."""
    if not len(keys):
        return np.full(len(wanted), -1, dtype=np.int64)
    order = np.argsort(keys, kind="stable")
    at = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    return np.where((keys[order][at] == wanted) & (wanted >= 0), order[at], -1)


def _take(values: pa.Array, rows: IntArray) -> pa.Array:
    """Return ``values[rows]`` with null where a row is -1."""
    return values.take(pa.array(rows, mask=rows < 0))


def _repeats(keys: IntArray) -> npt.NDArray[np.bool_]:
    """Return a mask of the keys that occur more than once."""
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return np.asarray(counts[inverse] > 1)


def _check(documents: pa.Table, images: pa.Table, verdicts: pa.Table, *, keys: IntArray, things: IntArray) -> None:
    ids = column(documents, "doc_id")
    image_keys = keys[len(ids) :]
    # Each mask is over the rows of its own table.
    found = [
        ("a document that occurs twice", documents, _repeats(_rows_of(ids, ids))),
        ("an image of an unknown document", images, image_keys < 0),
        ("an image that occurs twice", images, (image_keys >= 0) & _repeats(image_keys)),
        ("a verdict for an unknown document or image", verdicts, things < 0),
        ("a second verdict for one thing", verdicts, (things >= 0) & _repeats(things)),
        ("a verdict with an unknown reason", verdicts, ~_is_one_of(column(verdicts, "reason"), sorted(ALL_REASONS))),
        ("a verdict of an unknown stage", verdicts, ~_is_one_of(column(verdicts, "stage"), [str(s) for s in Stage])),
    ]
    problems = [_name(what, table, mask) for what, table, mask in found if mask.any()]
    if problems:
        raise CurateError("the ledger cannot count this partition: " + "; ".join(problems))


def _is_one_of(values: pa.Array, allowed: list[str]) -> npt.NDArray[np.bool_]:
    known = pc.is_in(values, value_set=pa.array(allowed, pa.string()))  # false for null
    return np.asarray(known.to_numpy(zero_copy_only=False), dtype=np.bool_)


def _name(what: str, table: pa.Table, mask: npt.NDArray[np.bool_]) -> str:
    """Return ``what`` with the first offending rows spelt out."""
    shown = [c for c in ("doc_id", "position", "stage", "reason") if c in table.column_names]
    rows = table.select(shown).filter(pa.array(mask)).slice(0, _MAX_NAMED).to_pylist()
    named = ", ".join(" ".join(f"{k}={v}" for k, v in row.items()) for row in rows)
    left = int(mask.sum()) - len(rows)
    return f"{what}: {named}" + (f" and {left} more" if left else "")
