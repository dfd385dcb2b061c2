"""What every stage is given, and the one way a stage makes its tables."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.engine.loop import Report
from pipelines.recipes.recipe import Recipe
from pipelines.run.folder import RunFolder, digest_of, fingerprint, read_json, read_stamp, read_table, write_table


@dataclass(frozen=True, kw_only=True, slots=True)
class RunContext:
    """Travels to the workers with every task."""

    folder: RunFolder
    recipe: Recipe
    base: str
    """Folder of the recipe file: relative paths start here."""
    num_fetchers: int = 1
    """Workers that fetch at the same time; per-host and total limits are divided by it."""
    retry_failed: bool = False
    """Fetch again what failed for a reason that may pass."""
    limit: int | None = None
    """Documents per input file, for a trial run."""
    only: tuple[str, ...] | None = None
    """Documents to look at, and nothing to write: a probe for what kills workers."""


def make_tables(
    context: RunContext,
    stage: str,
    partition: str,
    *,
    made_from: str,
    schemas: Mapping[str, pa.Schema],
    compute: Callable[[], Mapping[str, pa.Table]],
) -> Report:
    """Write a stage's tables for one partition, or skip it if they are there, made from the same inputs.

    Args:
        context: The run.
        stage: Folder of the tables.
        partition: Its name.
        made_from: Fingerprint of all the tables depend on.
        schemas: Table name -> schema.
        compute: Makes the tables; called only when needed.
    """
    paths = {table: context.folder.table(stage, table, partition) for table in schemas}
    stamps = [read_stamp(path) for path in paths.values()]
    name = f"{stage}/{'+'.join(schemas)}"
    if context.only is None and all(stamp is not None and stamp.fingerprint == made_from for stamp in stamps):
        return Report(stage=name, partition=partition, skipped=True)
    tables = compute()
    if context.only is not None:
        return Report(stage=name, partition=partition)
    for table, schema in schemas.items():
        write_table(paths[table], tables[table], schema=schema, made_from=made_from)
    return Report(stage=name, partition=partition, counters={name: table.num_rows for name, table in tables.items()})


def load_documents(context: RunContext, partition: str) -> pa.Table:
    """Return a partition's documents, those that were set aside included."""
    return read_table(context.folder.table("ingest", "documents", partition))


def load_items(context: RunContext, partition: str) -> pa.Table:
    """Return a partition's items, in document order, without those of documents that were set aside."""
    items = read_table(context.folder.table("ingest", "items", partition))
    items = without_documents(items, load_poison(context, partition))
    return items if context.only is None else only_documents(items, list(context.only))


def load_poison(context: RunContext, partition: str) -> list[str]:
    """Return the doc_ids that killed their workers."""
    found = read_json(context.folder.file("poison", f"{partition}.json"))
    return sorted(found["doc_ids"]) if found else []


def items_digest(context: RunContext, partition: str) -> str:
    """Return the digest of a partition's items as stages see them."""
    stamp = read_stamp(context.folder.table("ingest", "items", partition))
    poison = load_poison(context, partition)
    if stamp is None or poison:
        return digest_of(load_items(context, partition))
    return stamp.digest


def without_documents(table: pa.Table, doc_ids: list[str]) -> pa.Table:
    """Return ``table`` without the rows of some documents."""
    if not doc_ids:
        return table
    return table.filter(pc.invert(pc.is_in(table["doc_id"], pa.array(doc_ids, pa.string()))))


def only_documents(table: pa.Table, doc_ids: list[str]) -> pa.Table:
    """Return the rows of some documents."""
    return table.filter(pc.is_in(table["doc_id"], pa.array(doc_ids, pa.string())))


def stage_fingerprint(stage: str, version: int, options: Any, inputs: list[str]) -> str:
    """Return the fingerprint of a stage; pydantic options are taken by value."""
    plain = options.model_dump(mode="json") if hasattr(options, "model_dump") else options
    return fingerprint(stage, version, plain, inputs)
