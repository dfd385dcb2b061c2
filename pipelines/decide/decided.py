"""The stored decision: a blend under other weights takes the pool as it was decided, unless a rule or an input changed.

``blend/pool.parquet`` is the pool, ``blend/decided.json`` says what it was made from and what each rule took away. The
note is removed before anything is decided and written last, so it never stands beside the verdicts of another decision.
"""

import hashlib
import importlib.resources
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable

import pyarrow as pa

from curate.contract.reasons import Stage
from pipelines.decide.decide import decide
from pipelines.engine.loop import Report
from pipelines.run.context import RunContext, items_digest, stage_fingerprint
from pipelines.run.folder import read_json, write_json
from pipelines.run.many_files import in_threads, read_stamps
from pipelines.run.progress import Progress
from pipelines.run.tables import (
    CLIP_MEASURES,
    DOCUMENTS,
    IMAGE_MEASURES,
    IMAGES,
    INGEST_VERDICTS,
    MATCHES,
    PAGE_VERDICTS,
    POOL,
    TEXT_MEASURES,
    URL_COUNTS,
    VERDICTS,
)
from shards.storage import remove_file

NOTE_FILE = ("blend", "decided.json")
CODE = {"curate": ("dedup", "measure"), "filters": ("",), "pipelines": ("decide", "run")}
"""What decides, by package: other code may decide otherwise."""

READ = (DOCUMENTS, INGEST_VERDICTS, PAGE_VERDICTS, IMAGES, TEXT_MEASURES, IMAGE_MEASURES, CLIP_MEASURES)
"""Tables that a decision depends on, beside items."""

Rejections = Counter[tuple[str, str]]
"""(reason, "documents" | "images") -> how many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DecidedPool:
    """What the decision left to blend, and what it took away."""

    pool: pa.Table
    """Schema POOL."""
    rejections: Rejections


def load_or_decide(context: RunContext, progress: Progress, partitions: Sequence[str]) -> DecidedPool:
    """Return the stored decision if nothing that it depends on has changed; else decide and store it.

    Raises:
        CurateError: A rule was loosened so far that images are wanted which were never fetched.
    """
    made_from = decision_fingerprint(context, partitions)
    stored = load_decided(context, partitions, made_from)
    if stored is not None:
        return stored
    remove_file(context.folder.file(*NOTE_FILE))
    decided = decide_pool(context, progress, partitions)
    context.folder.write(POOL, rows=decided.pool, made_from=made_from)
    rejections = [[reason, what, number] for (reason, what), number in sorted(decided.rejections.items())]
    write_json(context.folder.file(*NOTE_FILE), {"made_from": made_from, "rejections": rejections})
    return decided


def load_decided(context: RunContext, partitions: Sequence[str], made_from: str) -> DecidedPool | None:
    """Return the stored decision, or None where it is missing, incomplete or was made from something else."""
    note, stamp = read_json(context.folder.file(*NOTE_FILE)), context.folder.stamp(POOL)
    if note is None or stamp is None or note["made_from"] != made_from or stamp.fingerprint != made_from:
        return None
    paths = [context.folder.path(table, name) for name in partitions for table in (VERDICTS, MATCHES)]
    if None in read_stamps(paths):
        return None
    rejections = Rejections({(reason, what): number for reason, what, number in note["rejections"]})
    return DecidedPool(pool=context.folder.read(POOL), rejections=rejections)


def decide_pool(context: RunContext, progress: Progress | None, partitions: Sequence[str]) -> DecidedPool:
    """Decide every partition; writes verdicts and matches."""
    if progress is not None:
        progress.begin("decide", len(partitions))
    rejections, pool = Rejections(), [POOL.schema.empty_table()]
    for decision in decide(context, partitions):
        pool.append(decision.pool)
        rejections += decision.rejections
        if progress is not None:
            counters = {"kept": decision.pool.num_rows}
            progress.report(Report(stage=Stage.DECIDE, partition=decision.partition, counters=counters))
    return DecidedPool(pool=pa.concat_tables(pool).combine_chunks(), rejections=rejections)


def decision_fingerprint(context: RunContext, partitions: Sequence[str]) -> str:
    """Return the fingerprint of all that the decision depends on: rules, measures, what was fetched, and the code."""
    recipe, folder = context.recipe, context.folder
    options = {
        section: None if (model := getattr(recipe, section)) is None else model.model_dump(mode="json")
        for section in ("admit", "keep", "dedup", "clip")
    }
    paths = [folder.path(URL_COUNTS), *(folder.path(table, name) for name in partitions for table in READ)]
    digests = [stamp.digest if stamp else "" for stamp in read_stamps(paths)]
    items = in_threads(lambda name: items_digest(context, name), partitions)
    return stage_fingerprint("decide", 1, options, [_code_digest(), *partitions, *digests, *items])


def _code_digest() -> str:
    digest = hashlib.sha256()
    for package, names in CODE.items():
        for name in names:
            for file in _python_files(importlib.resources.files(package) / name):
                digest.update(file.read_bytes())
    return digest.hexdigest()


def _python_files(place: Traversable) -> Iterator[Traversable]:
    if place.is_file():
        if place.name.endswith(".py"):
            yield place
    elif place.is_dir():
        for inner in sorted(place.iterdir(), key=lambda one: one.name):
            yield from _python_files(inner)
