"""Decide, or take the decision that is stored: judge, propose, settle and finish, as phases of tasks."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from curate.contract.reasons import Stage
from pipelines.decide.decision import Decision, Rejections, name_decision
from pipelines.decide.finish import finish_group, load_decided, read_rejections
from pipelines.decide.pairs import load_or_propose
from pipelines.decide.settle import settle_copies
from pipelines.decide.standing import list_standing
from pipelines.engine.loop import call_on
from pipelines.run.context import RunContext
from pipelines.run.folder import list_names, read_json, remove_folder, write_json
from pipelines.run.manifest import FOLD_PARTITIONS, GROUP_PARTITIONS, Fold, Manifest, cut_folds
from pipelines.run.workers import Workers

_task = partial(call_on, Stage.DECIDE)

COUNTS_FILE = "counts.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Decided:
    """A finished decision."""

    decision: Decision
    manifest: Manifest
    rejections: Rejections
    """What each reason took away."""

    def iterate_pool(self, context: RunContext) -> Iterator[tuple[str, pa.Table]]:
        """Yield each partition with its POOL rows, in input order."""
        for number, name in enumerate(self.manifest.partitions):
            yield name, load_decided(context, self.decision, self.decision.pool, number, name)


def load_or_decide(workers: Workers, context: RunContext, manifest: Manifest, *, url_counts: str = "") -> Decided:
    """Return the stored decision if nothing that it depends on has changed; else decide and store it.

    Args:
        workers: Of the run.
        context: The run.
        manifest: Of the run.
        url_counts: Fingerprint of the counts of URLs; empty where no rule asks for them.

    Raises:
        CurateError: A rule was loosened so far that images are wanted which were never fetched.
    """
    decision = name_decision(context, manifest, url_counts=url_counts)
    note = decision.file(context, COUNTS_FILE)
    stored = read_json(note)
    if stored is None or stored["made_from"] != decision.fingerprint or not _is_whole(context, decision, manifest):
        rejections = _decide(workers, context, decision, manifest)
        counts = [[reason, what, number] for (reason, what), number in sorted(rejections.items())]
        write_json(note, {"made_from": decision.fingerprint, "rejections": counts})
        remove_folder(decision.file(context, "standing"))
    else:
        rejections = Rejections({(reason, what): number for reason, what, number in stored["rejections"]})
    return Decided(decision=decision, manifest=manifest, rejections=rejections)


def _decide(workers: Workers, context: RunContext, decision: Decision, manifest: Manifest) -> Rejections:
    groups = cut_folds(manifest.partitions, size=GROUP_PARTITIONS)
    config = context.recipe.dedup
    if config is not None:
        proposed = load_or_propose(workers, context, manifest, config.image)
        tasks = [
            _task(group.name, list_standing, context, decision, group, _around(group, proposed.folds), proposed.kinds)
            for group in groups
        ]
        workers.finish("judge", tasks)
        workers.finish("settle", [_task("copies", settle_copies, context, decision, proposed, groups, config.image)])
    counters: Counter[str] = Counter()
    for report in workers.run("decide", [_task(g.name, finish_group, context, decision, g) for g in groups]):
        counters.update(report.counters)
    return read_rejections(counters)


def _around(group: Fold, folds: tuple[Fold, ...]) -> tuple[Fold, ...]:
    """Return the folds that a group's partitions are in."""
    last = group.start + len(group.partitions) - 1
    return folds[group.start // FOLD_PARTITIONS : last // FOLD_PARTITIONS + 1]


def _is_whole(context: RunContext, decision: Decision, manifest: Manifest) -> bool:
    """Say whether every table of every partition is there; one listing each."""
    wanted = {f"{name}.parquet" for name in manifest.partitions}
    return all(wanted <= list_names(decision.file(context, table.name)) for table in decision.tables)
