"""Proves that what was taken down is gone: from the tables of a run, and from the tars of its shard sets.

A takedown that was interrupted leaves some of it where it was; its list is there from the beginning.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import fsspec

from curate.contract.errors import CurateError, ShardError
from curate.contract.tasks import MapTasks
from pipelines.run.folder import RunFolder
from pipelines.run.manifest import Manifest
from pipelines.run.removals import Removals, load_removals, removals_of
from pipelines.run.stored import BATCH_BYTES, BATCH_ROWS
from pipelines.run.tables import FACTS, MANIFEST
from shards.cut import cut_shards
from shards.index import SHARD_PATTERN
from shards.reader import ShardReader
from shards.scan import scan_shard

REMEDY = "is to be gone; give the same list to `curate remove` again"
MAX_NAMED = 20
"""Of a partition or shard; there may be more."""


def check_gone(path: str, names: Sequence[str], *, map_tasks: MapTasks) -> Iterator[str]:
    """Yield what is on the list of a run, and still there.

    Args:
        path: Of the run, local or an fsspec URL.
        names: Of its shard sets.
        map_tasks: Runs a task per partition, then per shard.
    """
    folder = RunFolder(path)
    digest = load_removals(folder).digest
    if not digest:
        return
    if folder.stamp(MANIFEST) is not None:
        partitions = {name: name for name in Manifest(folder.read(MANIFEST)).partitions}
        look = partial(find_in_partition, path=path, digest=digest)
        for found in map_tasks(look, partitions, phase="what was taken down, in tables"):
            yield from found
    shards = {f"{name}/{shard}": (name, shard) for name in names for shard in _list_shards(path, name)}
    look_into = partial(find_in_shard, path=path, digest=digest)
    for found in map_tasks(look_into, shards, phase="what was taken down, in shards"):
        yield from found


def find_in_partition(partition: str, *, path: str, digest: str) -> list[str]:
    """Return images of a partition whose bytes are still stored."""
    folder = RunFolder(path)
    removals = removals_of(folder, digest)
    try:
        facts = folder.read(FACTS, partition, columns=["image_url", "image_id"])
    except CurateError as error:
        return [f"{partition}: cannot be looked through for what was taken down ({error})"]
    rows = zip(facts["image_url"].to_pylist(), facts["image_id"].to_pylist(), strict=True)
    left = [url for url, own in rows if own is not None and (removals.has_url(url) or own.hex() in removals.sha256)]
    return [f"{partition}: {url} {REMEDY}" for url in left[:MAX_NAMED]]


def find_in_shard(job: tuple[str, str], *, path: str, digest: str) -> list[str]:
    """Return samples of a shard that are of a page or hold an image that was taken down."""
    name, shard = job
    removals = removals_of(RunFolder(path), digest)
    try:
        left = list(_left_in_shard(f"{path}/shards/{name}", shard, removals))
    except (OSError, ShardError) as error:
        return [f"shards/{name}/{shard}: cannot be looked through for what was taken down ({error})"]
    return [f"shards/{name}/{shard}: {what} {REMEDY}" for what in left[:MAX_NAMED]]


def _left_in_shard(folder: str, shard: str, removals: Removals) -> Iterator[str]:
    index = scan_shard(folder, shard).index
    rows, sizes = index.to_pylist(), index["num_bytes"].to_numpy()
    with ShardReader(folder) as reader:
        for batch in cut_shards(sizes, max_bytes=BATCH_BYTES, max_samples=BATCH_ROWS):
            for stored in reader.read_many(rows[batch.start : batch.stop]):
                yield from _left_in_record(stored.record, removals)


def _left_in_record(record: Mapping[str, Any], removals: Removals) -> Iterator[str]:
    if removals.has_url(record["url"]):
        yield record["url"]
    for item in record["items"]:
        if item["type"] == "image" and (removals.has_url(item["url"]) or item["sha256"] in removals.sha256):
            yield f"{item['url']} in {record['doc_id']}"


def _list_shards(path: str, name: str) -> list[str]:
    filesystem, root = fsspec.url_to_fs(f"{path}/shards/{name}")
    found = [str(entry).rpartition("/")[2] for entry in filesystem.ls(root, detail=False)]
    return sorted(one for one in found if SHARD_PATTERN.fullmatch(one))
