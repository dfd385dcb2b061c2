"""Rebuilds what is made from the tars: index, wids and Energon files, and the manifest's counts and checksums.

Only sound tars are taken: a broken one is never made to look whole. Card and blend stay as they are, so verification
still tells of samples that were planned and are gone. Rows of the index wait in a folder of their own, a file per
shard, until all tars are known to be sound; none is held longer than it takes to write it.
"""

import functools
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa

from curate.contract.errors import ShardError
from curate.contract.tasks import MapTasks, map_here
from shards.croissant import SetFile
from shards.energon import INDEX_SUFFIX
from shards.finish import encode_listings, encode_offsets_of, list_shards, write_index
from shards.index import SHARD_PATTERN
from shards.keys import KeyReport, describe_duplicates, find_suspects, report_keys
from shards.manifest import MANIFEST_NAME, Manifest, ManifestShard, add_up, encode_manifest, read_manifest
from shards.reader import INDEX_NAME
from shards.results import load_result, save_result
from shards.scan import scan_shard
from shards.shard_check import count_keys, first_faults
from shards.storage import atomic_path, hash_file, open_folder, read_file, write_bytes
from shards.writer import make_result

SCRATCH_FOLDER = ".repair"


@dataclass(frozen=True, kw_only=True, slots=True)
class RebuiltShard:
    """A shard that was read, and whose rows wait."""

    shard: ManifestShard
    faults: tuple[str, ...]
    keys: KeyReport


class _UnchangedError(Exception):
    """What was to be written is there already."""


def repair_shard_set(folder: str, *, map_tasks: MapTasks = map_here) -> list[str]:
    """Rebuild the files that follow from the tars, and the manifest's list of shards.

    Args:
        folder: Local or an fsspec URL.
        map_tasks: Reads single shards; by default this process, one after the other.

    Returns:
        A line per file whose content was changed; empty where all was right.

    Raises:
        ShardError: No manifest (the set was never finished: run it again), no tars, tars with faults of their own, or
            one that is not what was written: its checksum is never replaced.
    """
    manifest = read_manifest(folder)
    file_system, root = open_folder(folder)
    names = sorted(str(path).rpartition("/")[2] for path in file_system.ls(root, detail=False))
    jobs = {name: name for name in names if SHARD_PATTERN.fullmatch(name)}
    if not jobs:
        raise ShardError(f"{folder}: no tars here to rebuild an index from")
    try:
        call = functools.partial(rebuild_shard, folder=folder)
        rebuilt = {one.shard.name: one for one in map_tasks(call, jobs, phase="read the tars")}
        shards = {name: rebuilt[name] for name in sorted(rebuilt)}
        _refuse_damaged(folder, shards, manifest, map_tasks=map_tasks)
        changed = _write_changed(folder, [one.shard for one in shards.values()], manifest)
    finally:
        with suppress(FileNotFoundError):
            file_system.rm(f"{root}/{SCRATCH_FOLDER}", recursive=True)
    return [f"{name}: rebuilt from the tars" for name in changed]


def rebuild_shard(name: str, *, folder: str) -> RebuiltShard:
    """Read a shard and leave its rows of the index where ``repair_shard_set`` finds them.

    Args:
        name: Of the shard.
        folder: Of the set.
    """
    scan = scan_shard(folder, name)
    result = make_result(scan.index, name=name, num_bytes=scan.num_bytes, sha256=scan.sha256)
    if not scan.faults:
        save_result(_waiting_path(folder, name), result, made_from=scan.sha256)
    return RebuiltShard(
        shard=list_shards([result])[0],
        faults=tuple(first_faults(name, scan.faults)),
        keys=report_keys(name, scan.keys),
    )


def _refuse_damaged(
    folder: str, shards: Mapping[str, RebuiltShard], manifest: Manifest, *, map_tasks: MapTasks
) -> None:
    written = {shard.name: shard.sha256 for shard in manifest.shards}
    faults = [fault for one in shards.values() for fault in one.faults]
    faults += [
        f"{name}: sha256 is {one.shard.sha256}, the manifest says {written[name]}; it was altered"
        for name, one in shards.items()
        if one.shard.sha256 != written.get(name, one.shard.sha256)
    ]
    suspects = find_suspects({name: one.keys for name, one in shards.items()})
    jobs = {name: (name, hashes) for name, hashes in suspects.items()}
    counted = list(map_tasks(functools.partial(count_keys, folder=folder), jobs, phase="keys")) if jobs else []
    if any(num_faults for _, _, num_faults in describe_duplicates(counted)):
        faults.append(f"{folder}: a key occurs more than once")
    if faults:
        remedy = "nothing was rebuilt, for tars are damaged: remove those and run the recipe again"
        raise ShardError("\n".join([*faults, remedy]))


def _write_changed(folder: str, shards: list[ManifestShard], manifest: Manifest) -> list[str]:
    """Write what is not there as it should be, the manifest last; return the names."""
    offsets: list[str] = []
    index, is_changed = _write_index(folder, shards, offsets)
    renewed = manifest.model_copy(update={"shards": shards, "totals": add_up(shards)})
    listings = encode_listings(shards, index=index, name=manifest.name)
    files = {**listings, MANIFEST_NAME: encode_manifest(renewed)}
    changed = [name for name, data in files.items() if read_file(folder, name) != data]
    for name in changed:
        write_bytes(f"{folder}/{name}", files[name])
    return [*([INDEX_NAME] if is_changed else []), *offsets, *changed]


def _write_index(folder: str, shards: list[ManifestShard], offsets: list[str]) -> tuple[SetFile, bool]:
    """Write the index and the offsets unless they are there; say whether the index was not, add names of the others."""
    found, is_changed = hash_file(folder, INDEX_NAME), True
    with suppress(_UnchangedError), atomic_path(f"{folder}/{INDEX_NAME}") as spool:
        write_index(spool, _waiting_indexes(folder, shards, offsets))
        made = hash_file(str(spool.parent), spool.name)
        if made == found:
            is_changed = False
            raise _UnchangedError
    return SetFile(name=INDEX_NAME, num_bytes=made[0], sha256=made[1]), is_changed


def _waiting_indexes(folder: str, shards: list[ManifestShard], offsets: list[str]) -> Iterator[pa.Table]:
    for shard in shards:
        index = load_result(_waiting_path(folder, shard.name), made_from=shard.sha256).index
        name, data = f"{shard.name}{INDEX_SUFFIX}", encode_offsets_of(index)
        if read_file(folder, name, max_bytes=len(data) + 1) != data:
            write_bytes(f"{folder}/{name}", data)
            offsets.append(name)
        yield index


def _waiting_path(folder: str, name: str) -> str:
    return f"{folder}/{SCRATCH_FOLDER}/{name}.parquet"
