"""Checks one shard against everything that is said of it: the task of which verification and repair are made."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from curate.contract.errors import ShardError
from shards.energon import INDEX_SUFFIX, encode_offsets
from shards.index_layout import read_index_of
from shards.keys import Hashes, KeyCounts, KeyReport, count_suspects, report_keys
from shards.manifest import ManifestShard
from shards.reader import INDEX_NAME
from shards.scan import ShardScan, list_keys, scan_shard
from shards.storage import read_file

MAX_FAULTS = 1000
"""Of one shard and kind that are spelt out; the rest is counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardJob:
    """What is said of a shard."""

    name: str
    said: ManifestShard | None
    """By the manifest."""
    groups: tuple[int, ...] = ()
    """Of the index; see ``IndexLayout``."""
    token: str | None = None
    """Of the index's layout; None: there is no index."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardReport:
    """What was found in a shard, a few hundred bytes of a sound one."""

    name: str
    num_samples: int
    num_bytes: int
    faults: tuple[str, ...]
    """Of the tar, by itself and against the manifest."""
    index_faults: tuple[str, ...]
    """Of its rows of the index."""
    index_error: str | None
    """Why those could not be read."""
    has_wrong_offsets: bool
    """Its ``.tar.idx`` is missing, or another one's."""
    keys: KeyReport


@dataclass(frozen=True, kw_only=True, slots=True)
class UnreadShard:
    """A shard that could not be read."""

    name: str
    fault: str


def check_shard(job: ShardJob, *, folder: str, deep: bool) -> ShardReport | UnreadShard:
    """Read a shard once and compare it.

    Args:
        job: The shard.
        folder: Of the set, local or an fsspec URL.
        deep: Also decode every image.
    """
    try:
        scan = scan_shard(folder, job.name, deep=deep)
    except OSError as error:
        return UnreadShard(name=job.name, fault=f"{job.name}: cannot be read ({error})")
    index_faults, index_error = list[str](), None
    if job.token is not None:
        try:
            index_faults = _check_index(read_index_of(folder, job.name, job.groups, token=job.token), scan)
        except ShardError as error:
            index_error = str(error)
    return ShardReport(
        name=job.name,
        num_samples=len(scan.keys),
        num_bytes=scan.num_bytes,
        faults=(*_check_against_manifest(scan, job.said), *first_faults(job.name, scan.faults)),
        index_faults=tuple(first_faults(job.name, index_faults)),
        index_error=index_error,
        has_wrong_offsets=_has_wrong_offsets(folder, scan),
        keys=report_keys(job.name, scan.keys),
    )


def count_keys(job: tuple[str, Hashes], *, folder: str) -> KeyCounts:
    """Count, in a shard, keys that occur in others as well.

    Args:
        job: File name of the shard; hashes of the keys, sorted.
        folder: Of the set.
    """
    name, hashes = job
    return count_suspects(name, list_keys(folder, name), hashes, max_keys=MAX_FAULTS)


def first_faults(name: str, faults: Sequence[str], *, num_faults: int | None = None) -> list[str]:
    """Return the first of a shard's faults, and how many more there are.

    Args:
        name: Of the shard.
        faults: All, or the first of them.
        num_faults: How many there are; None: those.
    """
    shown = list(faults[:MAX_FAULTS])
    num_more = (len(faults) if num_faults is None else num_faults) - len(shown)
    return [*shown, f"{name}: and {num_more:,} more faults like these"] if num_more else shown


def _check_against_manifest(scan: ShardScan, shard: ManifestShard | None) -> list[str]:
    if shard is None:
        return []
    found = {
        "num_bytes": scan.num_bytes,
        "sha256": scan.sha256,
        "num_samples": len(scan.keys),
        "num_images": sum(scan.index["num_images"].to_pylist()),
    }
    said = shard.model_dump()
    return [
        f"{scan.name}: {name} is {value}, the manifest says {said[name]}"
        for name, value in found.items()
        if value != said[name]
    ]


def _check_index(said: pa.Table, scan: ShardScan) -> list[str]:
    return [] if said.equals(scan.index) else _compare_rows(said.to_pylist(), scan)


def _compare_rows(said: Sequence[dict[str, Any]], scan: ShardScan) -> list[str]:
    indexed = {row["key"]: row for row in said}
    found = {row["key"]: row for row in scan.index.to_pylist()}
    faults = [f"{scan.name}, sample {key}: not in {INDEX_NAME}" for key in found if key not in indexed]
    known = set(scan.keys)
    faults += [f"{scan.name}, sample {key}: in {INDEX_NAME} but not in the tar" for key in indexed if key not in known]
    for key in found.keys() & indexed.keys():
        wrong = [name for name, value in found[key].items() if indexed[key][name] != value]
        if wrong:
            faults.append(f"{scan.name}, sample {key}: {INDEX_NAME} differs from the tar in {', '.join(wrong)}")
    if not faults and [row["key"] for row in said] != scan.keys:
        faults.append(f"{scan.name}: {INDEX_NAME} lists its samples in another order or more than once")
    return sorted(faults)


def _has_wrong_offsets(folder: str, scan: ShardScan) -> bool:
    if len(scan.offsets) == len(scan.keys):  # the archive was not read to its end
        return False
    wanted = encode_offsets(scan.offsets[:-1], scan.offsets[-1])
    return read_file(folder, f"{scan.name}{INDEX_SUFFIX}", max_bytes=len(wanted) + 1) != wanted
