"""The account of a run: ledger.json and report.html, folded from the run folder partition by partition."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.reasons import IngestReason, Reason, Stage
from curate.contract.verdicts import Verdict, verdict_table
from curate.report.builders import build_blend
from curate.report.collect import ReportCollector
from curate.report.data import LossCurve, TruthFigure
from curate.report.gallery import PartitionTables
from curate.report.ledger import LedgerCounter
from curate.report.page import render_report
from pipelines.recipes.rule_sets import rule_configs
from pipelines.run.context import RunContext, load_documents
from pipelines.run.folder import read_json, write_json, write_text
from pipelines.run.stored import read_data_of, read_rows
from pipelines.run.tables import BLEND_ORDER, CLIP_MEASURES, IMAGES, ITEMS, MATCHES, POOL, TEXT_MEASURES, VERDICTS

NUM_FIRST_FAULTS = 3
"""Of a source that cannot be read, told with it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """What a run comes to."""

    ledger: dict[str, Any]
    unreadable_sources: tuple[str, ...]
    """Sources of which not one record became a document."""

    def describe_unreadable(self) -> str:
        """Return each of these sources with its first faults, a line each; empty if there is none."""
        lines = []
        for name in self.unreadable_sources:
            lines.append(f"no record of {name} could be read:")
            faults = [fault["detail"] for fault in self.ledger["faults"] if fault["source"] == name]
            lines += [f"  {detail}" for detail in faults[:NUM_FIRST_FAULTS]] or ["  its files hold no record"]
            if len(faults) > NUM_FIRST_FAULTS:
                lines.append("  and more; see ledger.json")
        return "\n".join(lines)


def account_for(
    context: RunContext,
    partitions: Sequence[str],
    *,
    is_planned: bool = True,
    truth: Sequence[TruthFigure] = (),
    training: Sequence[LossCurve] = (),
) -> Account:
    """Write the ledger and the report of a finished run.

    Args:
        context: The run.
        partitions: Its partitions, in input order.
        is_planned: Whether its blend could be planned; otherwise nothing is kept.
        truth: Figures measured against ground truth, for the report.
        training: Loss curves, for the report.
    """
    recipe, folder = context.recipe, context.folder
    counter = LedgerCounter(sources=[source.name for source in recipe.sources])
    clip_rule: Any = rule_configs(recipe.keep).get("image.clip")
    collector = ReportCollector(clip_min=clip_rule.min if clip_rule is not None else None)
    not_drawn = _not_drawn(context, is_planned=is_planned)
    for name in partitions:
        tables = _load(context, name, not_drawn.get(name, []))
        counter.add_partition(tables.documents, tables.items, tables.verdicts)
        collector.add_partition(tables, load_images=partial(read_data_of, context, IMAGES, name))
    ledger = {**counter.to_dict(), "shard_set": recipe.blend.name if is_planned else None}
    write_json(folder.file("ledger.json"), ledger)
    data = collector.finish(
        ledger=ledger,
        title=folder.root.rpartition("/")[2],
        facts=_facts(context),
        blends=[build_blend(read_json(folder.file("blend", f"{recipe.blend.name}.json")))] if is_planned else [],
        truth=truth,
        training=training,
    )
    write_text(folder.file("report.html"), render_report(data))
    return Account(ledger=ledger, unreadable_sources=_unreadable(ledger))


def _load(context: RunContext, name: str, not_drawn: list[str]) -> PartitionTables:
    folder = context.folder
    more = [Verdict(doc_id=doc_id, stage=Stage.BLEND, reason=Reason.BLEND_NOT_DRAWN) for doc_id in not_drawn]
    has_clip = context.recipe.clip is not None
    return PartitionTables(
        documents=load_documents(context, name),
        items=folder.read(ITEMS, name),
        verdicts=pa.concat_tables([folder.read(VERDICTS, name), verdict_table(more)]),
        images=read_rows(context, IMAGES, name),
        clip=folder.read(CLIP_MEASURES, name) if has_clip else None,
        text=folder.read(TEXT_MEASURES, name),
        matches=folder.read(MATCHES, name),
    )


def _not_drawn(context: RunContext, *, is_planned: bool) -> dict[str, list[str]]:
    """Return, per partition, the documents of the pool that the blend had no room for; all, if there is no plan."""
    folder, name = context.folder, context.recipe.blend.name
    pool = folder.read(POOL, columns=["doc_id", "partition"])
    drawn = pa.array([], pa.string())
    if is_planned:
        drawn = folder.read(BLEND_ORDER, name, columns=["doc_id"])["doc_id"].unique()
    left = pool.filter(pc.invert(pc.is_in(pool["doc_id"], drawn)))
    found: dict[str, list[str]] = {}
    for partition, doc_id in zip(left["partition"].to_pylist(), left["doc_id"].to_pylist(), strict=True):
        found.setdefault(partition, []).append(doc_id)
    return found


def _facts(context: RunContext) -> dict[str, str]:
    clip = context.recipe.clip
    blend = context.recipe.blend
    return {
        "Sources": ", ".join(f"{source.name} ({source.type})" for source in context.recipe.sources),
        "CLIP": f"{clip.model}{f' / {clip.pretrained}' if clip.pretrained else ''}" if clip is not None else "none",
        "Shard set": f"{blend.name}, by {blend.unit}",
    }


def _unreadable(ledger: Mapping[str, Any]) -> tuple[str, ...]:
    found = []
    for name, counts in ledger["sources"].items():
        documents = counts["documents"]
        if documents["in"] == sum(documents["rejected"].get(str(reason), 0) for reason in IngestReason):
            found.append(name)
    return tuple(found)
