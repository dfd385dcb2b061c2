"""Finish: the verdicts, matches and pool of a partition, once it is settled which of its images are copies."""

from collections import Counter

import numpy as np
import pyarrow as pa

from curate.blend.queues import hash_doc_ids
from curate.contract.errors import CurateError
from curate.contract.ids import split_image_number
from curate.contract.reasons import Stage
from curate.contract.schemas import MATCHES, POOL, WHOLE_DOCUMENT
from curate.measure.align import UNMATCHED, match_documents
from pipelines.decide.decision import Decision, Rejections
from pipelines.decide.fates import fate_table
from pipelines.decide.judge import Judged, Rules, judge_documents
from pipelines.decide.judge_partition import judge_partition
from pipelines.engine.loop import Report
from pipelines.run.context import RunContext
from pipelines.run.manifest import Fold
from pipelines.run.removals import removals_for
from pipelines.run.splits import read_part
from pipelines.run.tables import Table


def finish_group(context: RunContext, decision: Decision, group: Fold) -> Report:
    """Write what a decision says of some neighbouring partitions; those that are there are counted only."""
    counters: Counter[str] = Counter()
    is_new = False
    for number, name in enumerate(group.partitions, start=group.start):
        if not _is_written(context, decision, name):
            finish_partition(context, decision, number, name)
            is_new = True
        counters.update(_count(context, decision, number, name))
    return Report(stage=Stage.DECIDE, partition=group.name, skipped=not is_new, counters=dict(counters))


def finish_partition(context: RunContext, decision: Decision, number: int, name: str) -> None:
    """Write what a decision says of one partition.

    Args:
        context: The run.
        decision: Whose copies are settled.
        number: Of the partition.
        name: Of the partition.
    """
    rules = Rules.of(context.recipe, removals_for(context))
    judged = judge_partition(context, name, rules, with_matches=True)
    if context.recipe.dedup is not None:
        path, part = decision.copies_path(context, number)
        _reject_copies(judged, rules, read_part(path, part))
    rows = {
        decision.verdicts: fate_table(judged.facts, judged.documents, judged.images),
        decision.matches: match(judged),
        decision.pool: pool(judged),
    }
    for table, found in rows.items():
        context.folder.write(table, name, rows=found, made_from=decision.fingerprint)


def load_decided(
    context: RunContext, decision: Decision, table: Table, number: int, name: str, *, columns: list[str] | None = None
) -> pa.Table:
    """Return a table of a decision; what is missing or damaged is made anew.

    Args:
        context: The run, with the recipe of the decision.
        decision: One that is finished.
        table: Of the decision.
        number: Of the partition.
        name: Of the partition.
        columns: To be read; None reads all.
    """
    try:
        return context.folder.read(table, name, columns=columns)
    except CurateError:
        finish_partition(context, decision, number, name)
        return context.folder.read(table, name, columns=columns)


def match(judged: Judged) -> pa.Table:
    """Return MATCHES: a row per kept image."""
    rows = np.flatnonzero(judged.standing_images())
    images = judged.facts.images.select(["position", "similarity"]).take(pa.array(rows)).combine_chunks()
    similarity = pa.concat_arrays([pa.array([], pa.list_(pa.float16())), *images["similarity"].chunks])
    owner = judged.facts.document[rows]
    texts = pa.concat_arrays([pa.array([], pa.list_(pa.int32())), *judged.facts.documents["text_positions"].chunks])
    positions, places = match_documents(owner, similarity, texts)
    unmatched = places == UNMATCHED
    columns = [
        judged.facts.documents["doc_id"].take(pa.array(owner)),
        images["position"],
        pa.array(positions, pa.int32(), mask=unmatched),
        _similarity_at(similarity, places),
    ]
    return pa.table(columns, schema=MATCHES)


def _similarity_at(similarity: pa.ListArray, places: np.ndarray) -> pa.Array:
    """Return the similarity of each row at a place of its list, null where the place is none."""
    starts = similarity.offsets.to_numpy()[:-1].astype(np.int64)
    where = pa.array(np.where(places == UNMATCHED, 0, starts + places), mask=places == UNMATCHED)
    return similarity.values.take(where)


def pool(judged: Judged) -> pa.Table:
    """Return POOL: a row per document that stands."""
    facts = judged.facts
    rows = np.flatnonzero(judged.documents.standing())
    standing = judged.standing_images()
    num_docs = facts.documents.num_rows
    sizes = facts.images["num_bytes"].filter(pa.array(standing)).to_numpy()
    image_bytes = np.bincount(facts.document[standing], weights=sizes, minlength=num_docs).astype(np.int64)
    num_images = np.bincount(facts.document[standing], minlength=num_docs)
    documents = facts.documents.take(pa.array(rows))
    columns = [
        documents["doc_id"],
        pa.array(hash_doc_ids(documents["doc_id"].to_pylist())),
        documents["source"],
        documents["kind"],
        pa.array(num_images[rows], pa.int32()),
        *(documents[name].fill_null(0).cast(pa.int64()) for name in ("num_words", "num_chars")),
        pa.array(image_bytes[rows] + documents["text_num_bytes"].to_numpy()),
    ]
    return pa.table(columns, schema=POOL)


def read_rejections(counters: Counter[str]) -> Rejections:
    """Return how many documents and images each reason took, from the counters of ``finish_group``."""
    found: Rejections = Counter()
    for key, number in counters.items():
        reason, space, unit = key.partition(" ")
        if space:
            found[reason, unit] = number
    return found


def _reject_copies(judged: Judged, rules: Rules, copies: pa.Table) -> None:
    _, rows = split_image_number(copies["image"].to_numpy())
    # Settled copies all stand, unless something was taken down since.
    stands = judged.standing_images()[rows]
    details = np.array([f"of {original}" for original in copies["original"].to_pylist()], dtype=object)[stands]
    reasons, rows = copies["reason"].to_numpy(zero_copy_only=False)[stands], rows[stands]
    judged.images.reject(rows, stage=Stage.DEDUP, reasons=reasons, details=details)
    fallen = np.zeros(judged.facts.images.num_rows, dtype=np.bool_)
    fallen[rows] = True
    judge_documents(judged, rules.doc, np.unique(judged.facts.document[rows]), causes=fallen)


def _is_written(context: RunContext, decision: Decision, name: str) -> bool:
    stamps = [context.folder.stamp(table, name) for table in decision.tables]
    return all(stamp is not None and stamp.fingerprint == decision.fingerprint for stamp in stamps)


def _count(context: RunContext, decision: Decision, number: int, name: str) -> dict[str, int]:
    """Return how many documents stand, and how many documents and images each reason took: ``REASON UNIT``."""
    verdicts = load_decided(context, decision, decision.verdicts, number, name, columns=["position", "reason"])
    pool = load_decided(context, decision, decision.pool, number, name, columns=["hash"])
    units = ["documents" if position == WHOLE_DOCUMENT else "images" for position in verdicts["position"].to_pylist()]
    counts = Counter(f"{reason} {unit}" for reason, unit in zip(verdicts["reason"].to_pylist(), units, strict=True))
    return {**counts, "kept": pool.num_rows}
