"""Checks a finished shard set: files against manifest, index, card and each other. Reports every fault it finds."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from curate.contract.errors import ShardError
from shards.index import SHARD_PATTERN, index_table
from shards.manifest import MANIFEST_NAME, Manifest, ManifestShard, add_up, read_manifest
from shards.reader import INDEX_NAME, read_index
from shards.scan import ShardScan, scan_shard
from shards.storage import open_folder
from shards.verify_files import check_card, check_croissant, check_energon, check_wids

_Read = TypeVar("_Read")


def verify_shards(folder: str, *, deep: bool = False) -> list[str]:
    """Return every fault of a shard set, each a line that starts with the file's name; empty if it is sound.

    Args:
        folder: Local or an fsspec URL.
        deep: Also decode every image.
    """
    faults: list[str] = []
    manifest = _try_read(lambda: read_manifest(folder), faults)
    index = _try_read(lambda: read_index(folder), faults)
    present = _list_shards(folder, faults)
    wanted = {shard.name: shard for shard in manifest.shards} if manifest else {}
    faults.extend(f"{name}: missing" for name in sorted(wanted.keys() - present))
    if manifest:
        faults.extend(f"{name}: not in the manifest" for name in sorted(present - wanted.keys()))
    scans = []
    for name in sorted(present):
        try:
            scans.append(scan_shard(folder, name, deep=deep))
        except OSError as error:
            faults.append(f"{name}: cannot be read ({error})")
    for scan in scans:
        faults.extend(_check_against_manifest(scan, wanted.get(scan.name)))
        faults.extend(scan.faults)
    faults.extend(_check_duplicates(scans))
    if index is not None:
        faults.extend(of_index := _check_index(index, scans, manifest))
        if manifest and not of_index:
            faults.extend(check_croissant(folder, manifest))
        faults.extend(check_card(folder, index))
    if manifest:
        faults.extend(_check_totals(manifest))
        faults.extend(check_wids(folder, scans, manifest))
    faults.extend(check_energon(folder, [scan for scan in scans if not manifest or scan.name in wanted]))
    return faults


def _try_read(read: Callable[[], _Read], faults: list[str]) -> _Read | None:
    try:
        return read()
    except ShardError as error:
        faults.append(str(error))
        return None


def _list_shards(folder: str, faults: list[str]) -> set[str]:
    file_system, root = open_folder(folder)
    try:
        names = {str(path).rpartition("/")[2] for path in file_system.ls(root, detail=False)}
    except OSError as error:
        faults.append(f"{folder}: cannot be listed ({error})")
        return set()
    return {name for name in names if SHARD_PATTERN.fullmatch(name)}


def _check_against_manifest(scan: ShardScan, shard: ManifestShard | None) -> list[str]:
    if shard is None:
        return []
    found = {
        "num_bytes": scan.num_bytes,
        "sha256": scan.sha256,
        "num_samples": len(scan.keys),
        "num_images": sum(row["num_images"] for row in scan.rows),
    }
    said = shard.model_dump()
    return [
        f"{scan.name}: {name} is {value}, the manifest says {said[name]}"
        for name, value in found.items()
        if value != said[name]
    ]


def _check_duplicates(scans: Sequence[ShardScan]) -> list[str]:
    counts = Counter(key for scan in scans for key in scan.keys)
    return [
        f"{scan.name}, sample {key}: the key occurs {counts[key]} times in the set"
        for scan in scans
        for key in dict.fromkeys(scan.keys)
        if counts[key] > 1
    ]


def _check_index(index: pa.Table, scans: Sequence[ShardScan], manifest: Manifest | None) -> list[str]:
    by_shard = _split_by_shard(index)
    gone = sorted(by_shard.keys() - {scan.name for scan in scans})
    faults = [f"{INDEX_NAME}: has samples of {name}, which is not there" for name in gone]
    if manifest and manifest.totals.num_samples != index.num_rows:
        faults.append(f"{INDEX_NAME}: {index.num_rows} rows, the manifest says {manifest.totals.num_samples} samples")
    for scan in scans:
        own = by_shard.get(scan.name, index.slice(0, 0))
        if not own.equals(index_table(scan.rows)):
            faults.extend(_compare_rows(own.to_pylist(), scan))
    return faults


def _split_by_shard(index: pa.Table) -> dict[str, pa.Table]:
    encoded = index["shard"].combine_chunks().dictionary_encode()
    codes = encoded.indices.to_numpy()
    names = encoded.dictionary.to_pylist()
    ends = np.cumsum(np.bincount(codes, minlength=len(names)))[:-1]
    rows = np.split(np.argsort(codes, kind="stable"), ends) if names else []
    return {name: index.take(own) for name, own in zip(names, rows, strict=True)}


def _compare_rows(said: Sequence[dict[str, Any]], scan: ShardScan) -> list[str]:
    indexed = {row["key"]: row for row in said}
    found = {row["key"]: row for row in scan.rows}
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


def _check_totals(manifest: Manifest) -> list[str]:
    faults = []
    if add_up(manifest.shards) != manifest.totals:
        faults.append(f"{MANIFEST_NAME}: totals do not add up to the shards")
    planned = manifest.blend.get("samples", manifest.totals.num_samples)
    if planned != manifest.totals.num_samples:
        faults.append(f"{MANIFEST_NAME}: the blend has {planned} samples, the shards {manifest.totals.num_samples}")
    return faults
