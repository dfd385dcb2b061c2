"""Beside ``test_remove.py``, which takes whole sets: what becomes of one shard."""

from dataclasses import replace
from pathlib import Path

import pytest

from curate.contract.ids import image_number
from pipelines.account import account_for
from pipelines.build import decide_and_write
from pipelines.decide.decision import without_removed
from pipelines.decide.facts_table import gather_facts, manifest_row
from pipelines.run.context import RunContext
from pipelines.run.manifest import cut_folds, load_manifest, write_manifest
from pipelines.run.removals import Removals, store_removals
from pipelines.run.splits import read_part
from pipelines.stages.images import fetch_admitted_images
from pipelines.takedown.partition import delete_bytes
from pipelines.takedown.shard_sets import (
    SetChange,
    carry_copies,
    carry_decision,
    carry_order,
    look_at_order,
    rewrite_shard,
)
from shards.scan import scan_shard
from tests.pipelines.corpus import Picture, decide_all, doc, make_context, measured, write_partition
from tests.pipelines.in_process import InProcess

P, Q = "mmc4-00000-00000", "mmc4-00001-00000"


@pytest.fixture
def change(tmp_path: Path) -> tuple[RunContext, SetChange]:
    context = make_context(tmp_path, "blend: {max_repeats: 2, epochs: 2}\nshards: {samples: 3}\n")
    write_partition(
        context, P, [doc("a", "text", Picture(number=1), Picture(number=2)), doc("b", "b", Picture(number=3))]
    )
    write_partition(context, Q, [doc("c", "more", Picture(number=4))])
    for name in (P, Q):
        fetch_admitted_images(context, name)
    built = decide_and_write(InProcess(), context, measured(context, P, Q))
    account_for(InProcess(), context, built.decided)
    removals = Removals.of({"urls": ["http://h/2.jpg", "http://h/b"]})
    store_removals(context.folder, removals)
    context = replace(context, removed=removals.digest)
    rows = {row["partition"]: row for row in load_manifest(context).table.to_pylist()}
    write_manifest(context, [manifest_row(delete_bytes(context, P)), rows[Q]])
    old = built.decided.decision
    new = without_removed(old, context.removed)
    return context, SetChange(name="main", old=old, new=new, touched=frozenset({P}))


def test_changed_samples_are_made_anew_gone_ones_left_out_and_others_stay(change: tuple[RunContext, SetChange]) -> None:
    context, of = change
    (fold,) = cut_folds([P, Q])
    carry_decision(context, of, fold)
    found = look_at_order(context, of, fold).found
    assert set(found) == {0, 1}
    assert {doc_id: what for changes in found.values() for doc_id, what in changes.items()} == {"a": (0, P), "b": None}
    for shard, changes in found.items():
        rewrite_shard(context, of, shard, changes)
    rows = [
        row
        for shard in (0, 1)
        for row in scan_shard(context.folder.file("shards", "main"), f"{shard:05d}.tar").index.to_pylist()
    ]
    assert sorted((row["doc_id"], row["num_images"]) for row in rows) == [("a", 1), ("a", 1), ("c", 1), ("c", 1)]


def test_an_order_that_is_carried_over_is_not_looked_at_again(change: tuple[RunContext, SetChange]) -> None:
    context, of = change
    (fold,) = cut_folds([P, Q])
    carry_decision(context, of, fold)
    assert not carry_order(context, of, fold).skipped
    assert carry_order(context, of, fold).skipped
    assert look_at_order(context, of, fold).found == {}


def test_copies_are_found_where_they_stand_now(tmp_path: Path) -> None:
    """Pages that were taken down leave no row behind, so those after them move up."""
    context = make_context(tmp_path, "dedup: {image: {exact: true}}\n")
    gone = doc("a", "text", Picture(number=1), Picture(number=2))
    docs = [doc("b", "b", Picture(number=3)), doc("c", "c", Picture(number=4), Picture(number=3, url="http://i/3"))]
    write_partition(context, P, [gone, *docs])
    write_partition(context, Q, [doc("d", "d", Picture(number=5), Picture(number=3, url="http://i/4"))])
    old = decide_all(context, P, Q).decision
    new = without_removed(old, "another list")
    write_partition(context, P, docs)
    gather_facts(context, P)
    change = SetChange(name="main", old=old, new=new, touched=frozenset({P}))
    (fold,) = cut_folds([P, Q])
    assert not carry_copies(context, change, fold).skipped
    before, after = ([read_part(*one.copies_path(context, number)) for number in (0, 1)] for one in (old, new))
    assert before[0]["image"].to_pylist() == [image_number(0, 4)]
    assert after[0].to_pylist() == [{**before[0].to_pylist()[0], "image": image_number(0, 2)}]
    assert after[1].equals(before[1])
    assert after[1].num_rows == 1
    assert carry_copies(context, change, fold).skipped
