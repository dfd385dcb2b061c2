"""The account of a run: ledger.json and report.html, folded by tasks over partitions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.reasons import IngestReason, Modality, Reason, Stage
from curate.contract.schemas import WHOLE_DOCUMENT
from curate.contract.verdicts import Verdict, verdict_table
from curate.report.builders import build_blend
from curate.report.collect import ReportCollector, draw_entries
from curate.report.data import LossCurve, TruthFigure
from curate.report.gallery import PartitionTables
from curate.report.ledger import LedgerCounter
from curate.report.page import render_report
from pipelines.decide.decided import Decided
from pipelines.decide.decision import Decision
from pipelines.decide.facts import Facts
from pipelines.decide.facts_table import load_facts
from pipelines.decide.finish import load_decided
from pipelines.engine.loop import Report, call_on
from pipelines.recipes.rule_sets import rule_configs
from pipelines.run.context import RunContext, load_documents
from pipelines.run.folder import read_json, write_json, write_text
from pipelines.run.joins import only_documents
from pipelines.run.manifest import GROUP_PARTITIONS, Fold, cut_folds
from pipelines.run.order import read_order
from pipelines.run.stored import read_data_of, read_rows
from pipelines.run.tables import CLIP_MEASURES, IMAGES, ITEMS, TEXT_MEASURES
from pipelines.run.workers import Workers

_task = partial(call_on, Stage.BLEND)

NUM_FIRST_FAULTS = 3
"""Of a source that cannot be read, told with it."""
FACTS_COLUMNS = [
    "document", "position", "doc_id", "source", "kind", "lang", "num_words",
    "status", "original_width", "original_height", "best_sim",
]  # fmt: skip
CLIP_COLUMNS = ["doc_id", "position", "similarity", "best_sim", "alt_sim"]


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """What a task has counted of some partitions."""

    ledger: LedgerCounter
    report: ReportCollector


@dataclass(frozen=True, kw_only=True, slots=True)
class Extras:
    """What a report may show beside the run itself."""

    truth: Sequence[TruthFigure] = ()
    """Figures measured against ground truth."""
    training: Sequence[LossCurve] = ()
    """Loss curves."""


def account_for(
    workers: Workers, context: RunContext, decided: Decided, *, is_planned: bool = True, extras: Extras | None = None
) -> Account:
    """Write the ledger and the report of a shard set, beside it and as the run's newest.

    Args:
        workers: Of the run.
        context: The run.
        decided: The decision that the set was made from.
        is_planned: Whether its blend could be planned; otherwise nothing is kept, and there is no set.
        extras: Of the report.
    """
    manifest, decision, shown = decided.manifest, decided.decision, extras or Extras()
    recipe, folder = context.recipe, context.folder
    clip_rule: Any = rule_configs(recipe.keep).get("image.clip")
    counter = LedgerCounter(sources=[source.name for source in recipe.sources])
    collector = ReportCollector(clip_min=clip_rule.min if clip_rule is not None else None)
    name = recipe.blend.name if is_planned else None
    groups = cut_folds(manifest.partitions, size=GROUP_PARTITIONS)
    tasks = [_task(group.name, count_group, context, decision, group, name) for group in groups]
    for report in workers.run("account", tasks):
        counted: Counted = report.found
        counter.merge(counted.ledger)
        collector.merge(counted.report)
    numbers = {partition: number for number, partition in enumerate(manifest.partitions)}
    drawn = [
        _task(partition, draw_partition, context, decision, numbers[partition], partition, doc_ids, name)
        for partition, doc_ids in collector.sampled().items()
    ]
    for report in workers.run("gallery", drawn):
        collector.add_entries(report.found)
    ledger = {**counter.to_dict(), "shard_set": name, "decision": decision.name}
    data = collector.finish(
        ledger=ledger,
        title=folder.root.rpartition("/")[2],
        facts=_facts(context),
        blends=[build_blend(read_json(folder.file("blend", f"{name}.json")))] if is_planned else [],
        truth=shown.truth,
        training=shown.training,
    )
    page = render_report(data)
    for place in [(), *([("shards", name)] if name is not None else [])]:
        write_json(folder.file(*place, "ledger.json"), ledger)
        write_text(folder.file(*place, "report.html"), page)
    return Account(ledger=ledger, unreadable_sources=_unreadable(ledger))


def count_group(context: RunContext, decision: Decision, group: Fold, name: str | None) -> Report:
    """Count some neighbouring partitions.

    Args:
        context: The run.
        decision: That the set was made from.
        group: The partitions.
        name: Of the shard set; None where there is none, and nothing was drawn.
    """
    counter, collector = LedgerCounter(), ReportCollector()
    for number, partition in enumerate(group.partitions, start=group.start):
        facts = load_facts(context, partition, columns=FACTS_COLUMNS)
        tables = _tables_of(facts, _verdicts(context, decision, number, partition, name))
        counter.add_partition(tables.documents, tables.items, tables.verdicts)
        collector.add_partition(tables, partition=partition)
    return Report(stage=Stage.BLEND, partition=group.name, found=Counted(ledger=counter, report=collector))


def draw_partition(
    context: RunContext, decision: Decision, number: int, partition: str, doc_ids: Sequence[str], name: str | None
) -> Report:
    """Return the gallery's entries of some documents of a partition.

    Args:
        context: The run.
        decision: That the set was made from.
        number: Of the partition.
        partition: Its name.
        doc_ids: Of the documents.
        name: Of the shard set, or None.
    """
    folder = context.folder
    images = only_documents(read_rows(context, IMAGES, partition), doc_ids)
    data = read_data_of(context, IMAGES, partition, doc_ids)
    has_clip = context.recipe.clip is not None
    tables = PartitionTables(
        documents=only_documents(load_documents(context, partition), doc_ids),
        items=only_documents(folder.read(ITEMS, partition), doc_ids),
        verdicts=only_documents(_verdicts(context, decision, number, partition, name), doc_ids),
        images=images.append_column("data", _align(images, data)),
        clip=folder.read(CLIP_MEASURES, partition, columns=CLIP_COLUMNS) if has_clip else None,
        text=folder.read(TEXT_MEASURES, partition),
        matches=load_decided(context, decision, decision.matches, number, partition),
    )
    return Report(stage=Stage.BLEND, partition=partition, found=draw_entries(tables, doc_ids))


def _align(images: pa.Table, data: pa.Table) -> pa.Array:
    """Return the bytes of each row of ``images``."""
    found = zip(data["doc_id"].to_pylist(), data["position"].to_pylist(), data["data"].to_pylist(), strict=True)
    of = {(doc_id, position): one for doc_id, position, one in found}
    keys = zip(images["doc_id"].to_pylist(), images["position"].to_pylist(), strict=True)
    return pa.array([of.get(key) for key in keys], pa.large_binary())


def _verdicts(context: RunContext, decision: Decision, number: int, partition: str, name: str | None) -> pa.Table:
    """Return a partition's verdicts, those on documents that the blend had no room for among them."""
    verdicts = load_decided(context, decision, decision.verdicts, number, partition)
    pool = load_decided(context, decision, decision.pool, number, partition)["doc_id"]
    if name is not None:
        drawn = read_order(context, name, number)["row"].unique()
        rows = pa.array(range(len(pool)), pa.int32())
        pool = pool.filter(pc.invert(pc.is_in(rows, value_set=drawn)))
    more = [Verdict(doc_id=doc_id, stage=Stage.BLEND, reason=Reason.BLEND_NOT_DRAWN) for doc_id in pool.to_pylist()]
    return pa.concat_tables([verdicts, verdict_table(more)])


def _tables_of(facts: Facts, verdicts: pa.Table) -> PartitionTables:
    """Return what counting reads of a partition."""
    doc_ids = facts.documents["doc_id"]
    of_images = doc_ids.take(pa.array(facts.document))
    images = facts.images.set_column(facts.images.schema.get_field_index("doc_id"), "doc_id", of_images)
    modality = pa.array([str(Modality.IMAGE)] * images.num_rows, pa.string())
    measured = facts.documents.filter(facts.documents["num_words"].is_valid())
    whole = pa.array([WHOLE_DOCUMENT] * measured.num_rows, pa.int32())
    return PartitionTables(
        documents=facts.documents.select(["doc_id", "source", "kind"]),
        items=images.select(["doc_id", "position"]).append_column("modality", modality),
        verdicts=verdicts,
        images=images.filter(images["status"].is_valid()),
        clip=images.filter(images["best_sim"].is_valid()),
        text=measured.select(["doc_id", "num_words", "lang"]).append_column("position", whole),
    )


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
