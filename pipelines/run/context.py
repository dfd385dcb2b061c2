"""What every stage is given, and the one way a stage makes its tables."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipelines.engine.loop import Report
from pipelines.recipes.recipe import Recipe
from pipelines.run.folder import RunFolder, digest_of, fingerprint, read_json, write_json
from pipelines.run.joins import without_documents
from pipelines.run.tables import DOCUMENTS, ITEMS, Table


@dataclass(frozen=True, kw_only=True, slots=True)
class RunContext:
    """Travels to the workers with every task."""

    folder: RunFolder
    recipe: Recipe
    base: str
    """Folder of the recipe file: relative paths start here."""
    num_fetchers: int = 1
    """Processes that fetch at the same time; the total limit of requests is divided by it."""
    is_gentle: bool = False
    """Workers have died of this: hold as little in memory at a time as goes."""
    retry_failed: bool = False
    """Fetch again what failed for a reason that may pass."""
    limit: int | None = None
    """Documents per input file, for a trial run."""


def make_tables(
    context: RunContext,
    partition: str,
    *tables: Table,
    made_from: str,
    compute: Callable[[], tuple[pa.Table, ...]],
) -> Report:
    """Write a stage's tables for one partition, or skip it if they are there, made from the same inputs.

    Args:
        context: The run.
        partition: Its name.
        tables: All of one stage.
        made_from: Fingerprint of all the tables depend on.
        compute: Makes the rows of ``tables``, in their order; called only when needed.
    """
    stage, folder = tables[0].stage, context.folder
    stamps = [folder.stamp(table, partition) for table in tables]
    if all(stamp is not None and stamp.fingerprint == made_from for stamp in stamps):
        return Report(stage=stage, partition=partition, skipped=True)
    made = compute()
    for table, rows in zip(tables, made, strict=True):
        folder.write(table, partition, rows=rows, made_from=made_from)
    counters = {table.name: rows.num_rows for table, rows in zip(tables, made, strict=True)}
    return Report(stage=stage, partition=partition, counters=counters)


def load_documents(context: RunContext, partition: str) -> pa.Table:
    """Return a partition's documents, those that were set aside included."""
    return context.folder.read(DOCUMENTS, partition)


def load_items(context: RunContext, partition: str) -> pa.Table:
    """Return a partition's items, in document order, without those of documents that were set aside."""
    return without_documents(context.folder.read(ITEMS, partition), list(load_poison(context, partition)))


def load_poison(context: RunContext, partition: str) -> dict[str, str]:
    """Return the documents that killed their workers: doc_id -> the stage that did it, sorted by doc_id."""
    found = read_json(_poison_path(context, partition))
    return dict(sorted(found["doc_ids"].items())) if found else {}


def load_too_large(context: RunContext, partition: str) -> frozenset[str]:
    """Return those of ``load_poison`` that are more than a worker's memory can hold, each alone."""
    found = read_json(_poison_path(context, partition)) or {}
    return frozenset(found.get("too_large", ()))


def store_poison(
    context: RunContext, partition: str, stages: Mapping[str, str], *, too_large: Collection[str] = ()
) -> None:
    """Set documents aside for good; see ``load_poison`` and ``load_too_large``."""
    write_json(_poison_path(context, partition), {"doc_ids": dict(stages), "too_large": sorted(too_large)})


def items_digest(context: RunContext, partition: str) -> str:
    """Return the digest of a partition's items as stages see them."""
    stamp = context.folder.stamp(ITEMS, partition)
    if stamp is None or load_poison(context, partition):
        return digest_of(load_items(context, partition))
    return stamp.digest


def stage_fingerprint(stage: str, version: int, options: Any, inputs: list[str]) -> str:
    """Return the fingerprint of a stage; pydantic options are taken by value."""
    plain = options.model_dump(mode="json") if hasattr(options, "model_dump") else options
    return fingerprint(stage, version, plain, inputs)


def _poison_path(context: RunContext, partition: str) -> str:
    return context.folder.file("poison", f"{partition}.json")
