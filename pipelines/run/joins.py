"""Joins on (doc_id, position) that keep the order of rows and carry list columns, which Arrow's own joins do not."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

KEY = ("doc_id", "position")


def keys_of(table: pa.Table) -> list[tuple[str, int]]:
    """Return the key of each row."""
    return list(zip(*(table[name].to_pylist() for name in KEY), strict=True))


def look_up(rows: pa.Table, other: pa.Table, columns: list[str]) -> pa.Table:
    """Append columns of ``other`` to ``rows``, matched by key; null where ``other`` has no such row.

    Args:
        rows: Has doc_id and position; its order stays.
        other: Has doc_id and position, each pair at most once.
        columns: Of ``other``.
    """
    place = {key: number for number, key in enumerate(keys_of(other))}
    found = other.select(columns).combine_chunks().take(pa.array([place.get(key) for key in keys_of(rows)], pa.int64()))
    for name in columns:
        rows = rows.append_column(name, found[name])
    return rows


def without_keys(table: pa.Table, gone: set[tuple[str, int]]) -> pa.Table:
    """Return the rows whose key is not in ``gone``."""
    return table.filter(pa.array([key not in gone for key in keys_of(table)], pa.bool_()))


def with_keys(table: pa.Table, wanted: set[tuple[str, int]]) -> pa.Table:
    """Return the rows whose key is in ``wanted``."""
    return table.filter(pa.array([key in wanted for key in keys_of(table)], pa.bool_()))


def without_documents(table: pa.Table, doc_ids: Sequence[str]) -> pa.Table:
    """Return ``table`` without the rows of some documents."""
    if not doc_ids:
        return table
    return table.filter(pc.invert(pc.is_in(table["doc_id"], pa.array(doc_ids, pa.string()))))


def only_documents(table: pa.Table, doc_ids: Sequence[str]) -> pa.Table:
    """Return the rows of some documents."""
    return table.filter(pc.is_in(table["doc_id"], pa.array(doc_ids, pa.string())))
