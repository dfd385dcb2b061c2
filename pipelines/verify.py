"""Verify a run folder: every shard set, the ledger's arithmetic, and the ledger against the shards."""

from collections.abc import Iterator
from typing import Any

import fsspec
import pyarrow.compute as pc

from curate.contract.errors import CurateError
from curate.report.ledger import check_ledger
from pipelines.run_folder import read_json
from shards.reader import read_index
from shards.verify import verify_shards


def verify(path: str) -> list[str]:
    """Return every fault of a run folder or of one shard set; empty means that it holds together.

    Raises:
        CurateError: There is nothing to verify.
    """
    filesystem, root = fsspec.url_to_fs(path.rstrip("/"))
    if filesystem.exists(f"{root}/manifest.json"):
        return verify_shards(path)
    if not filesystem.exists(f"{root}/shards"):
        raise CurateError(f"{path}: neither a run folder (no shards/) nor a shard set (no manifest.json)")
    names = sorted(entry.rpartition("/")[2] for entry in filesystem.ls(f"{root}/shards", detail=False))
    faults = [f"shards/{name}: {fault}" for name in names for fault in verify_shards(f"{path}/shards/{name}")]
    ledger = read_json(f"{path}/ledger.json")
    if ledger is None:
        return [*faults, "ledger.json: missing"]
    return [*faults, *check_ledger(ledger), *_ledger_against_shards(path, ledger)]


def _ledger_against_shards(path: str, ledger: dict[str, Any]) -> Iterator[str]:
    """Compare what the ledger says was kept with the documents and images that are in its shard set."""
    name = ledger.get("shard_set", "main")
    try:
        index = read_index(f"{path}/shards/{name}")
    except CurateError as error:
        yield str(error)
        return
    first_use = index.group_by(["source", "doc_id"]).aggregate([("num_images", "max")])
    for source, counts in ledger["sources"].items():
        mine = first_use.filter(pc.equal(first_use["source"], source))
        found = {"documents": mine.num_rows, "images": pc.sum(mine["num_images_max"]).as_py() or 0}
        for unit, number in found.items():
            if counts[unit]["kept"] != number:
                yield f"ledger: source {source} keeps {counts[unit]['kept']} {unit}, but shards/{name} holds {number}"
