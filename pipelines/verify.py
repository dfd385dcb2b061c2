"""Verify a run folder: every shard set, the ledger's arithmetic, and the ledger against the shards; repair indexes."""

from collections.abc import Iterator
from typing import Any

import fsspec
import pyarrow.compute as pc

from curate.contract.errors import CurateError
from curate.report.ledger import check_ledger
from pipelines.run.folder import read_json
from shards.manifest import MANIFEST_NAME
from shards.reader import INDEX_NAME, read_index
from shards.repair import repair_shard_set
from shards.verify import verify_shards


def verify(path: str, *, deep: bool = False) -> list[str]:
    """Return every fault of a run folder or of one shard set; empty means that it holds together.

    Args:
        path: Local or an fsspec URL.
        deep: Also decode every image.

    Raises:
        CurateError: There is nothing to verify.
    """
    path = path.rstrip("/")
    names = _shard_sets(path)
    if names is None:
        return verify_shards(path, deep=deep)
    faults = [
        f"shards/{name}: {fault}" for name in names for fault in verify_shards(f"{path}/shards/{name}", deep=deep)
    ]
    ledger = read_json(f"{path}/ledger.json")
    if ledger is None:
        return [*faults, "ledger.json: missing"]
    if not isinstance(ledger, dict):
        return [*faults, "ledger.json: no JSON object"]
    return [*faults, *check_ledger(ledger), *_ledger_against_shards(path, ledger)]


def repair(path: str) -> list[str]:
    """Rebuild what is made from the tars, in one shard set or all of a run folder; return what was changed.

    Raises:
        CurateError: There is nothing to repair, or what is damaged is not the index.
    """
    path = path.rstrip("/")
    names = _shard_sets(path)
    if names is None:
        return repair_shard_set(path)
    return [f"shards/{name}: {change}" for name in names for change in repair_shard_set(f"{path}/shards/{name}")]


def _shard_sets(path: str) -> list[str] | None:
    """Return the names of a run folder's shard sets, or None where ``path`` is a shard set itself."""
    filesystem, root = fsspec.url_to_fs(path)
    if any(filesystem.exists(f"{root}/{name}") for name in (MANIFEST_NAME, INDEX_NAME)):
        return None
    if not filesystem.exists(f"{root}/shards"):
        raise CurateError(f"{path}: neither a run folder (no shards/) nor a shard set (no {MANIFEST_NAME})")
    entries = filesystem.ls(f"{root}/shards", detail=False)
    return sorted(str(entry).rstrip("/").rpartition("/")[2] for entry in entries)


def _ledger_against_shards(path: str, ledger: dict[str, Any]) -> Iterator[str]:
    """Compare what the ledger says was kept with the documents and images that are in its shard set."""
    name = ledger.get("shard_set", "main")
    if name is None:
        yield "ledger: the last run could not be blended, so no shard set is of its decision"
        return
    try:
        index = read_index(f"{path}/shards/{name}")
    except CurateError as error:
        yield str(error)
        return
    first_use = index.group_by(["source", "doc_id"]).aggregate([("num_images", "max")])
    sources = ledger["sources"] if isinstance(ledger.get("sources"), dict) else {}
    for source, counts in sources.items():
        mine = first_use.filter(pc.equal(first_use["source"], source))
        found = {"documents": mine.num_rows, "images": pc.sum(mine["num_images_max"]).as_py() or 0}
        for unit, number in found.items():
            kept = _kept(counts, unit)
            if kept != number:
                yield f"ledger: source {source} keeps {kept} {unit}, but shards/{name} holds {number}"
    for source in sorted(set(index["source"].unique().to_pylist()) - set(sources)):
        yield f"ledger: shards/{name} holds documents of source {source}, which it does not know"


def _kept(counts: Any, unit: str) -> Any:
    """Return what a source is said to keep; None where the ledger has another shape, which ``check_ledger`` tells."""
    of_unit = counts.get(unit) if isinstance(counts, dict) else None
    return of_unit.get("kept") if isinstance(of_unit, dict) else None
