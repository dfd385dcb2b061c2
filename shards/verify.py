"""Checks a finished shard set: files against manifest, index, card and each other. Reports every fault it finds."""

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from curate.contract.errors import ShardError
from curate.contract.tasks import MapTasks, map_here
from shards.index import SHARD_PATTERN
from shards.index_layout import IndexLayout, read_layout
from shards.keys import describe_duplicates, find_suspects
from shards.manifest import MANIFEST_NAME, Manifest, add_up, read_manifest
from shards.reader import INDEX_NAME
from shards.shard_check import ShardJob, ShardReport, UnreadShard, check_shard, count_keys, first_faults
from shards.storage import open_folder
from shards.verify_files import check_card, check_croissant, check_energon, check_wids

_Read = TypeVar("_Read")


def verify_shards(folder: str, *, deep: bool = False, map_tasks: MapTasks = map_here) -> list[str]:
    """Return every fault of a shard set, each a line that starts with the file's name; empty if it is sound.

    Args:
        folder: Local or an fsspec URL.
        deep: Also decode every image.
        map_tasks: Runs the checks of single shards; by default this process, one after the other.
    """
    faults: list[str] = []
    manifest = _try_read(lambda: read_manifest(folder), faults)
    layout_faults: list[str] = []
    layout = _try_read(lambda: read_layout(folder), layout_faults)
    listing_faults: list[str] = []
    present = _list_shards(folder, listing_faults)
    found = list(_check_all(folder, sorted(present), manifest, layout, deep=deep, map_tasks=map_tasks))
    unread = {one.name: one.fault for one in found if isinstance(one, UnreadShard)}
    reports = {one.name: one for one in sorted(found, key=lambda one: one.name) if isinstance(one, ShardReport)}
    if broken := [one.index_error for one in reports.values() if one.index_error is not None]:
        layout, layout_faults = None, broken[:1]
    faults += [*layout_faults, *listing_faults, *_compare_names(present, manifest)]
    faults += [unread[name] for name in sorted(unread)]
    faults += [fault for one in reports.values() for fault in one.faults]
    faults += _check_duplicates(folder, reports, map_tasks=map_tasks)
    if layout is not None:
        faults += (of_index := _check_index(layout, reports, manifest))
        if manifest and not of_index:
            faults += check_croissant(folder, manifest)
        faults += check_card(folder, max_images=layout.max_images)
    return faults + _check_lookups(folder, list(reports.values()), manifest)


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


def _compare_names(present: set[str], manifest: Manifest | None) -> list[str]:
    if manifest is None:
        return []
    wanted = {shard.name for shard in manifest.shards}
    faults = [f"{name}: missing" for name in sorted(wanted - present)]
    return faults + [f"{name}: not in the manifest" for name in sorted(present - wanted)]


def _check_all(
    folder: str,
    names: list[str],
    manifest: Manifest | None,
    layout: IndexLayout | None,
    *,
    deep: bool,
    map_tasks: MapTasks,
) -> Iterator[ShardReport | UnreadShard]:
    said = {shard.name: shard for shard in manifest.shards} if manifest else {}
    jobs = {
        name: ShardJob(name=name, said=said.get(name))
        if layout is None
        else ShardJob(name=name, said=said.get(name), groups=layout.groups.get(name, ()), token=layout.token)
        for name in names
    }
    call = functools.partial(check_shard, folder=folder, deep=deep)
    return map_tasks(call, jobs, phase=f"verify {folder.rstrip('/').rpartition('/')[2]}")


def _check_duplicates(folder: str, reports: Mapping[str, ShardReport], *, map_tasks: MapTasks) -> list[str]:
    suspects = find_suspects({name: report.keys for name, report in reports.items()})
    if not suspects:
        return []
    jobs = {name: (name, hashes) for name, hashes in suspects.items()}
    counted = list(map_tasks(functools.partial(count_keys, folder=folder), jobs, phase="keys that occur twice"))
    return [
        fault
        for name, faults, num_faults in describe_duplicates(counted)
        for fault in first_faults(name, faults, num_faults=num_faults)
    ]


def _check_index(layout: IndexLayout, reports: Mapping[str, ShardReport], manifest: Manifest | None) -> list[str]:
    gone = sorted(layout.groups.keys() - reports.keys())
    faults = [f"{INDEX_NAME}: has samples of {name}, which is not there" for name in gone]
    if manifest and manifest.totals.num_samples != layout.num_rows:
        faults.append(f"{INDEX_NAME}: {layout.num_rows} rows, the manifest says {manifest.totals.num_samples} samples")
    return faults + [fault for report in reports.values() for fault in report.index_faults]


def _check_lookups(folder: str, reports: list[ShardReport], manifest: Manifest | None) -> list[str]:
    if manifest is None:
        return check_energon(folder, reports)
    wanted = {shard.name for shard in manifest.shards}
    faults = _check_totals(manifest) + check_wids(folder, reports, manifest)
    return faults + check_energon(folder, [report for report in reports if report.name in wanted])


def _check_totals(manifest: Manifest) -> list[str]:
    faults = []
    if add_up(manifest.shards) != manifest.totals:
        faults.append(f"{MANIFEST_NAME}: totals do not add up to the shards")
    planned = manifest.blend.get("samples", manifest.totals.num_samples)
    if planned != manifest.totals.num_samples:
        faults.append(f"{MANIFEST_NAME}: the blend has {planned} samples, the shards {manifest.totals.num_samples}")
    return faults
