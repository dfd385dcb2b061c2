"""Fetch only what is missing: stored bytes are never thrown away by a changed recipe.

A stored row is used again when its fetch succeeded, or failed under the same policy. ``--retry-failed`` tries transient
failures again. Rows that are no longer wanted stay: a looser rule may want them back tomorrow. What comes is committed
at once, in segments: an attempt that is cut short costs seconds, and the next one goes on from there. The index has the
rows in the order of the partition's documents, so that wanting less, or fetching the rest later, changes nothing that
later stages read.
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
from pipelines.run.segments import (
    NOTE,
    SegmentWriter,
    adopt_whole_file,
    in_document_order,
    is_current,
    key_columns,
    load_segments,
    write_index,
)
from pipelines.run.tables import Table

SPEED_FIELDS = frozenset({"concurrency", "per_host", "use_proxies"})
"""Options that change how fast URLs are fetched, never what comes back."""
GENTLE_CONCURRENCY, GENTLE_BYTES = 4, 1_000_000
"""Requests and bytes in flight of a process, where workers have run out of memory."""
KEY_COLUMNS = ("doc_id", "position")
HASH_COLUMN = "expected_sha256"


def fetcher_config(context: RunContext) -> FetchConfig:
    """Return the fetch options of one process: the total is shared out, hosts are shared by leases; see host_leases."""
    config = context.recipe.fetch
    concurrency = max(1, config.concurrency // max(1, context.num_fetchers))
    if not context.is_gentle:
        return config.model_copy(update={"concurrency": concurrency})
    # A body that is larger than the limit on bytes in flight may still come alone.
    few_bytes = min(config.max_bytes_in_flight, GENTLE_BYTES)
    few = {"concurrency": min(concurrency, GENTLE_CONCURRENCY), "decode_threads": 1, "max_bytes_in_flight": few_bytes}
    return config.model_copy(update=few)


def fetch_missing(
    context: RunContext,
    partition: str,
    table: Table,
    *,
    wanted: pa.Table,
    url_column: str,
    fetch: Callable[[pa.Table, SegmentWriter], None],
) -> Report:
    """Bring one partition's fetch table up to date.

    Args:
        context: The run.
        partition: Its name.
        table: PAGES or IMAGES.
        wanted: Key columns and URL of every row that is wanted now.
        url_column: Name of the URL column.
        fetch: Fetches the rows given and hands each on once, in any order, in tables of any size.
    """
    folder, policy = context.folder, _policy(context.recipe.fetch)
    made_from = fingerprint("fetch", table.version, policy, [digest_of(wanted)])
    if is_current(folder, table, partition, made_from) and not context.retry_failed:
        return Report(stage=table.stage, partition=partition, skipped=True)
    adopt_whole_file(folder, table, partition)
    stored, num_damaged = load_segments(folder, table, partition)
    usable = _usable(stored, policy=policy, retry=context.retry_failed)
    usable = _still_right(usable, wanted, url_column)
    writer = SegmentWriter(folder, table, partition, note=policy)
    fetch(_rows_without(wanted, usable, url_column), writer)
    _index(context, partition, table, wanted, url_column, made_from)
    counters = {"fetched": writer.num_rows, "ok": writer.num_ok}
    counters |= {"damaged_files": num_damaged} if num_damaged else {}
    return Report(stage=table.stage, partition=partition, counters=counters)


def _index(
    context: RunContext, partition: str, table: Table, wanted: pa.Table, url_column: str, made_from: str
) -> None:
    """Write the index: of two URLs at one place the wanted one, or else the one that came last."""
    rows, _ = load_segments(context.folder, table, partition)
    urls = {row[:-1]: row[-1] for row in _rows(wanted, url_column)}
    is_right = [urls.get(row[:-1], row[-1]) == row[-1] for row in _rows(rows, url_column)]
    rows = rows.filter(pa.array(is_right, pa.bool_()))
    rows = in_document_order(rows, load_documents(context, partition), key_columns(table))
    write_index(context.folder, table, partition, rows=rows, made_from=made_from)


def _policy(config: FetchConfig) -> str:
    options = config.model_dump(mode="json", exclude=set(SPEED_FIELDS))
    return hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()


def _usable(stored: pa.Table, *, policy: str, retry: bool) -> pa.Table:
    """Return the rows that need not be fetched again: successes, and failures under the same policy."""
    is_ok = pc.equal(stored["status"], str(FetchStatus.OK))
    usable = stored.filter(pc.or_(is_ok, pc.equal(stored[NOTE], policy)))
    again = [str(status) for status in TRANSIENT_FETCH_STATUSES] if retry else []
    return usable.filter(pc.invert(pc.is_in(usable["status"], pa.array(again, pa.string()))))


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


def _rows(table: pa.Table, url_column: str) -> list[tuple[Any, ...]]:
    """Return each row's key and URL."""
    names = [*(key for key in KEY_COLUMNS if key in table.column_names), url_column]
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))
