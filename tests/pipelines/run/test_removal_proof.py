"""Beside ``takedown/test_remove.py``, where whole takedowns are interrupted."""

from pathlib import Path

from curate.contract.ids import sha256_hex
from curate.contract.tasks import map_here
from pipelines.build import decide_and_write
from pipelines.run import tables
from pipelines.run.context import RunContext
from pipelines.run.removal_proof import check_gone, find_in_partition, find_in_shard
from pipelines.run.removals import Removals, store_removals
from pipelines.stages.images import fetch_admitted_images
from tests.pipelines.corpus import Picture, doc, jpeg, make_context, measured, write_partition
from tests.pipelines.in_process import InProcess

P = "mmc4-00000-00000"
URL = "http://other.example/1.jpg"


def written(root: Path) -> RunContext:
    context = make_context(root, "")
    write_partition(context, P, [doc("a", "text", Picture(number=1, url=URL)), doc("b", "more", Picture(number=2))])
    fetch_admitted_images(context, P)
    decide_and_write(InProcess(), context, measured(context, P))
    return context


def test_without_a_list_nothing_is_looked_for(tmp_path: Path) -> None:
    context = written(tmp_path)
    assert list(check_gone(context.folder.root, ["main"], map_tasks=map_here)) == []


def test_bytes_are_known_by_their_hash_in_tables_and_shards(tmp_path: Path) -> None:
    context = written(tmp_path)
    store_removals(context.folder, Removals.of({"sha256": [sha256_hex(jpeg(1))]}))
    found = list(check_gone(context.folder.root, ["main"], map_tasks=map_here))
    assert [fault.partition(" is to be gone")[0] for fault in found] == [
        f"{P}: {URL}",
        f"shards/main/00000.tar: {URL} in a",
    ]


def test_what_cannot_be_read_proves_nothing(tmp_path: Path) -> None:
    context = written(tmp_path)
    removals = Removals.of({"hosts": ["nowhere.example"]})
    store_removals(context.folder, removals)
    root = context.folder.root
    Path(context.folder.path(tables.FACTS, P)).unlink()
    assert "cannot be looked through" in find_in_partition(P, path=root, digest=removals.digest)[0]
    (fault,) = find_in_shard(("main", "00009.tar"), path=root, digest=removals.digest)
    assert fault.startswith("shards/main/00009.tar: cannot be looked through")
