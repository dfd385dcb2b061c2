"""``curate remove``: what is on a list leaves a run and every shard set of it, and does not come back."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from curate.contract.errors import CurateError
from curate.contract.reasons import Stage
from pipelines.account import account_for
from pipelines.decide.decided import COUNTS_FILE, Decided
from pipelines.decide.decision import Decision, without_removed
from pipelines.decide.facts_table import manifest_row
from pipelines.decide.finish import read_rejections
from pipelines.engine.loop import Report, call_on
from pipelines.inventory import ShardSet, list_decisions, list_sets
from pipelines.run.context import RunContext
from pipelines.run.folder import read_json, remove_folder, write_json
from pipelines.run.manifest import GROUP_PARTITIONS, Manifest, cut_folds, load_manifest, write_manifest
from pipelines.run.removals import Removals, load_removals, store_removals
from pipelines.run.workers import Workers
from pipelines.takedown.partition import delete_bytes, look_for
from pipelines.takedown.shard_sets import (
    Changes,
    SetChange,
    carry_copies,
    carry_decision,
    carry_order,
    look_at_order,
    rewrite_shard,
)
from pipelines.write.shard_set import describe
from pipelines.write.write_shards import list_results
from shards.finish import finish_shard_set
from shards.writer import shard_name

_task = partial(call_on, Stage.ADMIT)

OpenSet = Callable[[str], RunContext]


@dataclass(frozen=True, kw_only=True, slots=True)
class Removed:
    """What a takedown came to."""

    num_documents: int
    num_images: int
    """Those of the documents among them."""
    rewritten: dict[str, int]
    """Shards by shard set."""


def remove(workers: Workers, context: RunContext, wanted: Removals, *, open_set: OpenSet) -> Removed:
    """Take down what is on a list. A run that was interrupted goes on when the same list is given again.

    Args:
        workers: Of the run.
        context: The run, with the recipe that it was made by.
        wanted: What is to be gone, beside what was taken down before.
        open_set: Returns the context of a shard set by its name.

    Raises:
        CurateError: The list is empty, or a shard set does not say which decision it was made from.
    """
    if not wanted:
        raise CurateError("nothing to remove: the lists are empty")
    manifest, sets = load_manifest(context), list_sets(context.folder)
    decisions = {one.name: _decision_of(context, one) for one in sets}
    context = _with_list(context, load_removals(context.folder) | wanted)
    context, found = _find(workers, context, manifest)
    touched = frozenset(report.partition for report in found if report.found is not None)
    manifest = _delete(workers, context, manifest, touched)
    rewritten = {}
    for one in sets:
        own = replace(open_set(one.name), removed=context.removed)
        new = without_removed(decisions[one.name], context.removed)
        change = SetChange(name=one.name, old=decisions[one.name], new=new, touched=touched)
        rewritten[one.name] = _rewrite_set(workers, own, manifest, change)
    for stored in list_decisions(context.folder):
        if not stored.used_by:
            remove_folder(context.folder.file("decided", stored.name))
    counts = Counter[str]()
    for report in found:
        counts.update(report.counters)
    return Removed(num_documents=counts["documents"], num_images=counts["images"], rewritten=rewritten)


def _find(workers: Workers, context: RunContext, manifest: Manifest) -> tuple[RunContext, list[Report]]:
    """Look for what is on the list until it grows no more: bytes that are to be gone may have other addresses too."""
    while True:
        found = list(workers.run("look for it", [_task(name, look_for, context, name) for name in manifest.partitions]))
        known = load_removals(context.folder)
        joined = _join([known, *(report.found for report in found if report.found is not None)])
        if joined == known:
            return context, found
        context = _with_list(context, joined)


def _with_list(context: RunContext, removals: Removals) -> RunContext:
    store_removals(context.folder, removals)
    return replace(context, removed=removals.digest)


def _join(lists: list[Removals]) -> Removals:
    joined = Removals()
    for one in lists:
        joined |= one
    return joined


def _decision_of(context: RunContext, one: ShardSet) -> Decision:
    note = read_json(context.folder.file("decided", one.decision, COUNTS_FILE)) if one.decision else None
    if note is None:
        raise CurateError(
            f"shard set {one.name} does not say by which decision it was made; write it again with this build first"
        )
    return Decision(fingerprint=note["made_from"])


def _delete(workers: Workers, context: RunContext, manifest: Manifest, touched: frozenset[str]) -> Manifest:
    tasks = [_task(name, delete_bytes, context, name) for name in manifest.partitions if name in touched]
    fresh = {report.partition: manifest_row(report) for report in workers.run("delete it", tasks)}
    return write_manifest(context, [fresh.get(row["partition"], row) for row in manifest.table.to_pylist()])


def _rewrite_set(workers: Workers, context: RunContext, manifest: Manifest, change: SetChange) -> int:
    """Bring a set to its new decision; return the number of shards that were rewritten."""
    folder, name = context.folder, change.name
    counters, folds = Counter[str](), cut_folds(manifest.partitions)
    if context.recipe.dedup is not None:
        workers.finish(f"copies of {name}", [_task(f.name, carry_copies, context, change, f) for f in folds])
    groups = cut_folds(manifest.partitions, size=GROUP_PARTITIONS)
    for report in workers.run(f"decide {name}", [_task(g.name, carry_decision, context, change, g) for g in groups]):
        counters.update(report.counters)
    rejections = read_rejections(counters)
    counts = [[reason, what, number] for (reason, what), number in sorted(rejections.items())]
    write_json(change.new.file(context, COUNTS_FILE), {"made_from": change.new.fingerprint, "rejections": counts})
    shards: dict[int, Changes] = {}
    for report in workers.run(f"look at {name}", [_task(f.name, look_at_order, context, change, f) for f in folds]):
        for shard, changes in report.found.items():
            shards.setdefault(shard, {}).update(changes)
    tasks = [_task(shard_name(n), rewrite_shard, context, change, n, own) for n, own in sorted(shards.items())]
    workers.finish(f"rewrite {name}", tasks)
    workers.finish(f"order {name}", [_task(f.name, carry_order, context, change, f) for f in folds])
    summary = read_json(folder.file("blend", f"{name}.json"))
    results = list_results(context, name)
    summary |= {"decision": change.new.name, "samples": sum(one.num_samples for one in results)}
    summary["images"] = sum(one.num_images for one in results)
    plan = {key: value for key, value in summary.items() if key != "decision"}
    finish_shard_set(folder.file("shards", name), results, info=describe(context.recipe, rejections, plan))
    write_json(folder.file("blend", f"{name}.json"), summary)
    decided = Decided(decision=change.new, manifest=manifest, rejections=rejections)
    account_for(workers, context, decided)
    return len(tasks)
