"""Verify a run folder: shard sets, ledgers by themselves and against shards, what was taken down; repair indexes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import fsspec

from curate.contract.errors import CurateError, ShardError
from curate.contract.tasks import MapTasks
from curate.report.ledger import check_ledger
from pipelines.run.folder import read_json
from pipelines.run.mapped import ClusterOptions, open_map
from pipelines.run.removal_proof import check_gone
from shards.distinct import DocumentCounts, count_documents
from shards.index import SHARD_PATTERN
from shards.manifest import MANIFEST_NAME
from shards.reader import INDEX_NAME
from shards.repair import repair_shard_set
from shards.verify import verify_shards

LEDGER_NAME = "ledger.json"
HERE = ClusterOptions()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ledger:
    """A ledger of a run folder."""

    label: str
    """Starts what is said of it."""
    value: Mapping[str, Any]
    shard_set: Any
    """Its name; None: the run could not be blended."""


def verify(path: str, *, deep: bool = False, cluster: ClusterOptions = HERE) -> list[str]:
    """Return every fault of a run folder or of one shard set; empty means that it holds together.

    Args:
        path: Local or an fsspec URL.
        deep: Also decode every image.
        cluster: Where shards are read.

    Raises:
        CurateError: There is nothing to verify.
    """
    path = path.rstrip("/")
    names = _shard_sets(path)
    with _open_map("verify", path, names, cluster) as map_tasks:
        if names is None:
            return verify_shards(path, deep=deep, map_tasks=map_tasks)
        faults = [
            f"shards/{name}: {fault}"
            for name in names
            for fault in verify_shards(f"{path}/shards/{name}", deep=deep, map_tasks=map_tasks)
        ]
        return [*faults, *_check_ledgers(path, names, map_tasks), *check_gone(path, names, map_tasks=map_tasks)]


def repair(path: str, *, cluster: ClusterOptions = HERE) -> list[str]:
    """Rebuild what is made from the tars, in one shard set or all of a run folder; return what was changed.

    Args:
        path: Local or an fsspec URL.
        cluster: Where shards are read.

    Raises:
        CurateError: There is nothing to repair, or what is damaged is not the index.
    """
    path = path.rstrip("/")
    names = _shard_sets(path)
    with _open_map("repair", path, names, cluster) as map_tasks:
        if names is None:
            return repair_shard_set(path, map_tasks=map_tasks)
        return [
            f"shards/{name}: {change}"
            for name in names
            for change in repair_shard_set(f"{path}/shards/{name}", map_tasks=map_tasks)
        ]


def _shard_sets(path: str) -> list[str] | None:
    """Return the names of a run folder's shard sets, or None where ``path`` is a shard set itself."""
    filesystem, root = fsspec.url_to_fs(path)
    if any(filesystem.exists(f"{root}/{name}") for name in (MANIFEST_NAME, INDEX_NAME)):
        return None
    if not filesystem.exists(f"{root}/shards"):
        raise CurateError(f"{path}: neither a run folder (no shards/) nor a shard set (no {MANIFEST_NAME})")
    entries = filesystem.ls(f"{root}/shards", detail=False)
    return sorted(str(entry).rstrip("/").rpartition("/")[2] for entry in entries)


def _open_map(stage: str, path: str, names: list[str] | None, cluster: ClusterOptions) -> Any:
    """Return ``open_map`` for all shards below a folder; one that cannot be listed is told of later."""
    filesystem, root = fsspec.url_to_fs(path)
    sizes: list[int] = []
    for folder in [root] if names is None else [f"{root}/shards/{name}" for name in names]:
        try:
            entries = filesystem.ls(folder, detail=True)
        except OSError:
            continue
        sizes += [int(one["size"] or 0) for one in entries if SHARD_PATTERN.fullmatch(one["name"].rpartition("/")[2])]
    return open_map(stage, cluster, num_shards=len(sizes), num_bytes=sum(sizes))


def _check_ledgers(path: str, names: list[str], map_tasks: MapTasks) -> Iterator[str]:
    """Check the run's ledger, a copy of that of the last set, and those that sets have of their own."""
    root = read_json(f"{path}/{LEDGER_NAME}")
    if root is None:
        yield f"{LEDGER_NAME}: missing"
    elif not isinstance(root, dict):
        yield f"{LEDGER_NAME}: no JSON object"
    ledgers = list[_Ledger]()
    for name in names:
        place = f"shards/{name}/{LEDGER_NAME}"
        own = read_json(f"{path}/{place}")
        if own is not None and not isinstance(own, dict):
            yield f"{place}: no JSON object"
        elif own is not None and own != root:
            ledgers.append(_Ledger(label=place, value=own, shard_set=name))
    if isinstance(root, dict):
        ledgers.insert(0, _Ledger(label="ledger", value=root, shard_set=root.get("shard_set", "main")))
    for ledger in ledgers:
        lead = "" if ledger.label == "ledger" else f"{ledger.label}: "
        yield from (f"{lead}{fault}" for fault in check_ledger(ledger.value))
        yield from _ledger_against_shards(path, names, ledger, map_tasks)


def _ledger_against_shards(path: str, names: list[str], ledger: _Ledger, map_tasks: MapTasks) -> Iterator[str]:
    """Compare what a ledger says was kept with the documents and images that are in its shard set."""
    name, value, label = ledger.shard_set, ledger.value, ledger.label
    if name is None:
        yield f"{label}: the last run could not be blended, so no shard set is of its decision"
        return
    if name not in names:
        yield f"{path}/shards/{name}: no {INDEX_NAME} here; is this a finished shard set?"
        return
    try:
        counted = count_documents(f"{path}/shards/{name}", map_tasks=map_tasks)
    except ShardError as error:
        yield str(error)
        return
    sources = value["sources"] if isinstance(value.get("sources"), dict) else {}
    nothing = DocumentCounts(documents=0, images=0)
    for source, counts in sources.items():
        of_source = counted.get(source, nothing)
        for unit, number in (("documents", of_source.documents), ("images", of_source.images)):
            kept = _kept(counts, unit)
            if kept != number:
                yield f"{label}: source {source} keeps {kept} {unit}, but shards/{name} holds {number}"
    for source in sorted(set(counted) - set(sources)):
        yield f"{label}: shards/{name} holds documents of source {source}, which it does not know"


def _kept(counts: Any, unit: str) -> Any:
    """Return what a source is said to keep; None where the ledger has another shape, which ``check_ledger`` tells."""
    of_unit = counts.get(unit) if isinstance(counts, dict) else None
    return of_unit.get("kept") if isinstance(of_unit, dict) else None
