"""Fetch only what is missing: stored bytes are never thrown away by a changed recipe.

A stored row is used again when its fetch succeeded, or failed under the same policy. ``--retry-failed`` tries transient
failures again. Rows that are no longer wanted stay: a looser rule may want them back tomorrow. Rows stand in the order
of the partition's documents, so that wanting less, or fetching the rest later, changes no byte.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.reasons import TRANSIENT_FETCH_STATUSES, FetchStatus
from curate.fetch.config import FetchConfig
from pipelines.engine.loop import Report
from pipelines.run.context import RunContext, load_documents
from pipelines.run.folder import digest_of, fingerprint
from pipelines.run.tables import Table

SPEED_FIELDS = frozenset({"concurrency", "per_host", "use_proxies"})
"""Options that change how fast URLs are fetched, never what comes back."""
KEY_COLUMNS = ("doc_id", "position")
HASH_COLUMN = "expected_sha256"


def fetcher_config(context: RunContext) -> FetchConfig:
    """Return the fetch options of one worker: the total is shared out, hosts are shared by leases; see host_leases."""
    config = context.recipe.fetch
    return config.model_copy(update={"concurrency": max(1, config.concurrency // max(1, context.num_fetchers))})


def fetch_missing(
    context: RunContext,
    partition: str,
    table: Table,
    *,
    wanted: pa.Table,
    url_column: str,
    fetch: Callable[[pa.Table], pa.Table],
) -> Report:
    """Bring one partition's fetch table up to date.

    Args:
        context: The run.
        partition: Its name.
        table: PAGES or IMAGES.
        wanted: Key columns and URL of every row that is wanted now.
        url_column: Name of the URL column.
        fetch: Fetches the rows given, one result row each, in their order.
    """
    folder, policy = context.folder, _policy(context.recipe.fetch)
    stamp = folder.stamp(table, partition)
    made_from = fingerprint("fetch", table.version, policy, [digest_of(wanted)])
    if stamp is not None and stamp.fingerprint == made_from and not context.retry_failed:
        return Report(stage=table.stage, partition=partition, skipped=True)
    empty = table.schema.empty_table()
    stored = _with_all_columns(folder.read(table, partition), table.schema) if stamp is not None else empty
    usable = _usable(stored, same_policy=stamp is not None and stamp.note == policy, retry=context.retry_failed)
    usable = _still_right(usable, wanted, url_column)
    missing = _rows_without(wanted, usable, url_column)
    fetched = fetch(missing)
    merged = pa.concat_tables([_rows_without(usable, fetched, url_column), fetched])
    merged = _in_order(merged, load_documents(context, partition), url_column)
    folder.write(table, partition, rows=merged, made_from=made_from, note=policy)
    num_ok = pc.sum(pc.equal(fetched["status"], str(FetchStatus.OK))).as_py() or 0
    return Report(stage=table.stage, partition=partition, counters={"fetched": fetched.num_rows, "ok": num_ok})


def _policy(config: FetchConfig) -> str:
    options = config.model_dump(mode="json", exclude=set(SPEED_FIELDS))
    return hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()


def _with_all_columns(stored: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table that an earlier version wrote with the columns it lacks, null."""
    names = set(stored.column_names)
    columns = [stored[field.name] if field.name in names else pa.nulls(stored.num_rows, field.type) for field in schema]
    return pa.table(columns, schema=schema)


def _usable(stored: pa.Table, *, same_policy: bool, retry: bool) -> pa.Table:
    again = [str(status) for status in FetchStatus if status is not FetchStatus.OK] if not same_policy else []
    if retry:
        again += [str(status) for status in TRANSIENT_FETCH_STATUSES]
    return stored.filter(pc.invert(pc.is_in(stored["status"], pa.array(again, pa.string()))))


def _rows_without(table: pa.Table, present: pa.Table, url_column: str) -> pa.Table:
    """Return the rows of ``table`` whose key and URL are not in ``present``."""
    seen = set(_rows(present, url_column))
    return table.filter(pa.array([row not in seen for row in _rows(table, url_column)], pa.bool_()))


def _still_right(stored: pa.Table, wanted: pa.Table, url_column: str) -> pa.Table:
    """Return the stored rows that nothing wanted contradicts: another URL at their place, or other promised bytes."""
    rows, wanted_rows = _rows(stored, url_column), _rows(wanted, url_column)
    urls = {row[:-1]: row[-1] for row in wanted_rows}
    is_right = [urls.get(row[:-1], row[-1]) == row[-1] for row in rows]
    if HASH_COLUMN in wanted.column_names:
        expected = dict(zip(wanted_rows, wanted[HASH_COLUMN].to_pylist(), strict=True))
        found = zip(*(stored[name].to_pylist() for name in ("status", "original_sha256", "detail")), strict=True)
        keeps = [
            row not in expected or _keeps(expected[row], *columns) for row, columns in zip(rows, found, strict=True)
        ]
        is_right = [first and second for first, second in zip(is_right, keeps, strict=True)]
    return stored.filter(pa.array(is_right, pa.bool_()))


def _keeps(expected_sha256: str | None, status: str, sha256: str | None, detail: str | None) -> bool:
    """Return whether a stored image is still what its source promises, or still not."""
    if status == FetchStatus.HASH_MISMATCH:
        return expected_sha256 is not None and not (detail or "").endswith(expected_sha256)
    return expected_sha256 is None or sha256 is None or sha256 == expected_sha256


def _in_order(table: pa.Table, documents: pa.Table, url_column: str) -> pa.Table:
    """Return rows in the order of their documents and places."""
    rank = {doc_id: number for number, doc_id in enumerate(documents["doc_id"].to_pylist())}
    rows = _rows(table, url_column)
    order = sorted(range(len(rows)), key=lambda number: (rank.get(rows[number][0], len(rank)), rows[number]))
    return table.take(pa.array(order, pa.int64())).combine_chunks()


def _rows(table: pa.Table, url_column: str) -> list[tuple[Any, ...]]:
    """Return each row's key and URL."""
    names = [*(key for key in KEY_COLUMNS if key in table.column_names), url_column]
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))
