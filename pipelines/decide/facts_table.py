"""The facts of a partition on disk: gathered when all else about it is measured, and read by all that decides."""

import pyarrow as pa

from curate.contract.errors import CurateError, SchemaError
from curate.contract.schemas import check_schema
from pipelines.decide.facts import Facts, Sources, gather, split_facts
from pipelines.engine.loop import Report
from pipelines.run.context import RunContext, items_digest, load_documents, load_poison, make_tables, stage_fingerprint
from pipelines.run.stored import read_rows
from pipelines.run.tables import (
    CLIP_MEASURES,
    DOCUMENTS,
    FACTS,
    IMAGES,
    INGEST_VERDICTS,
    ITEMS,
    PAGE_VERDICTS,
    TEXT_MEASURES,
    Table,
)


def gather_facts(context: RunContext, partition: str) -> Report:
    """Write the facts of a partition, or skip it if they are there, made from the same measures."""
    report = make_tables(
        context,
        partition,
        FACTS,
        made_from=_fingerprint(context, partition),
        compute=lambda: (_gather(context, partition),),
    )
    stamp = context.folder.stamp(FACTS, partition)
    if stamp is None:
        return report  # a probe leaves nothing behind
    facts = load_facts(context, partition, columns=["document", "position"])
    counters = {"documents": facts.documents.num_rows, "images": facts.images.num_rows}
    return Report(
        stage=report.stage,
        partition=partition,
        skipped=report.skipped,
        counters=counters,
        made=(stamp.fingerprint, stamp.digest, _embeddings_digest(context, partition)),
    )


def load_facts(context: RunContext, partition: str, *, columns: list[str] | None = None) -> Facts:
    """Return the facts of a partition; what is missing, damaged or of another version is made anew.

    Args:
        context: The run.
        partition: Its name.
        columns: To be read, document and position among them; None reads all.

    Raises:
        CurateError: They are not there and cannot be made, as something that they are gathered from is missing.
    """
    try:
        table = context.folder.read(FACTS, partition, columns=columns)
        check_schema(
            table, pa.schema([FACTS.schema.field(name) for name in columns or FACTS.schema.names]), where=partition
        )
    except (CurateError, SchemaError, KeyError):
        rows = _gather(context, partition)
        context.folder.write(FACTS, partition, rows=rows, made_from=_fingerprint(context, partition))
        table = rows.select(columns or rows.column_names)
    return split_facts(table)


def gather_admission(context: RunContext, partition: str) -> Facts:
    """Return the facts of a partition as far as they are known before its images are fetched; nothing is stored."""
    return split_facts(gather(_sources(context, partition)))


def _gather(context: RunContext, partition: str) -> pa.Table:
    sources = _sources(context, partition)
    images = read_rows(context, IMAGES, partition)
    clip = context.folder.read(CLIP_MEASURES, partition, columns=_CLIP) if context.recipe.clip is not None else None
    return gather(
        Sources(
            documents=sources.documents,
            items=sources.items,
            verdicts=sources.verdicts,
            poison=sources.poison,
            text=sources.text,
            images=images,
            clip=clip,
        )
    )


def manifest_row(report: Report) -> dict[str, object]:
    """Return the row of MANIFEST that a report of ``gather_facts`` tells."""
    content, facts, embeddings = report.made
    return {
        "partition": report.partition,
        "num_docs": report.counters["documents"],
        "num_images": report.counters["images"],
        "content": content,
        "facts": facts,
        "embeddings": embeddings,
    }


def _embeddings_digest(context: RunContext, partition: str) -> str:
    return context.folder.digest(CLIP_MEASURES, partition) if context.recipe.clip is not None else ""


_CLIP = ["doc_id", "position", "similarity", "best_sim", "alt_sim"]


def _sources(context: RunContext, partition: str) -> Sources:
    folder = context.folder
    return Sources(
        documents=load_documents(context, partition),
        items=folder.read(ITEMS, partition),
        verdicts=[folder.read(table, partition) for table in _verdict_tables(context, partition)],
        poison=load_poison(context, partition),
        text=folder.read(TEXT_MEASURES, partition),
    )


def _verdict_tables(context: RunContext, partition: str) -> list[Table]:
    return [table for table in (INGEST_VERDICTS, PAGE_VERDICTS) if context.folder.stamp(table, partition) is not None]


def _fingerprint(context: RunContext, partition: str) -> str:
    folder = context.folder
    tables = [DOCUMENTS, TEXT_MEASURES, IMAGES, *([CLIP_MEASURES] if context.recipe.clip is not None else [])]
    inputs = [folder.digest(table, partition) for table in (*tables, *_verdict_tables(context, partition))]
    poison = [f"{doc_id} {stage}" for doc_id, stage in load_poison(context, partition).items()]
    names = [table.name for table in tables]
    return stage_fingerprint("facts", FACTS.version, names, [*inputs, items_digest(context, partition), *poison])
