"""Documents that stand before copies are looked for and have an image in a pair: all that settling has to know."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from curate.contract.ids import image_number, split_image_number
from curate.contract.reasons import Kind, Stage
from curate.contract.schemas import STANDING
from pipelines.decide.decision import Decision
from pipelines.decide.facts import Ints
from pipelines.decide.judge import Judged, Rules, document_reasons
from pipelines.decide.judge_partition import judge_partition
from pipelines.decide.propose import load_members
from pipelines.engine.loop import Report
from pipelines.run.context import RunContext
from pipelines.run.folder import read_stamp, write_table
from pipelines.run.manifest import FOLD_PARTITIONS, Fold


def list_standing(
    context: RunContext, decision: Decision, group: Fold, folds: Sequence[Fold], kinds: Sequence[str]
) -> Report:
    """Write STANDING of some neighbouring partitions.

    Args:
        context: The run.
        decision: That is made.
        group: The partitions.
        folds: Of the run: of those, the ones that the partitions are in.
        kinds: Of pairs, see ``propose.load_members``.
    """
    path = standing_path(context, decision, group)
    stamp = read_stamp(path)
    if stamp is not None and stamp.fingerprint == decision.fingerprint:
        return Report(stage=Stage.DECIDE, partition=group.name, skipped=True)
    rules = Rules.of(context.recipe)
    found = [STANDING.empty_table()]
    by_number = {fold.number: fold for fold in folds}
    for number, name in enumerate(group.partitions, start=group.start):
        fold, part = divmod(number, FOLD_PARTITIONS)
        members = load_members(context, kinds, by_number[fold], part)
        if len(members):
            found.append(stand(judge_partition(context, name, rules), rules, members, partition=number))
    rows = pa.concat_tables(found).combine_chunks()
    write_table(path, rows, schema=STANDING, made_from=decision.fingerprint)
    return Report(stage=Stage.DECIDE, partition=group.name, counters={"in pairs": rows.num_rows})


def stand(judged: Judged, rules: Rules, members: Ints, *, partition: int) -> pa.Table:
    """Return STANDING of one partition.

    Args:
        judged: The partition.
        rules: Of the recipe.
        members: Numbers of its images that are in a pair.
        partition: Its number.
    """
    standing = judged.standing_images()
    _, rows = split_image_number(members)
    rows = rows[standing[rows]]
    owner = judged.facts.document[rows]
    documents, starts = np.unique(owner, return_index=True)
    edges = pa.array(np.append(starts, len(rows)), pa.int32())
    num_images = np.bincount(judged.facts.document[standing], minlength=judged.facts.documents.num_rows)[documents]
    columns = [
        judged.facts.documents["doc_id"].combine_chunks().take(pa.array(documents)),
        pa.ListArray.from_arrays(edges, pa.array(image_number(partition, 0) + rows)),
        pa.ListArray.from_arrays(edges, judged.facts.images["position"].combine_chunks().take(pa.array(rows))),
        _stands_with(judged, rules, documents, num_images),
    ]
    return pa.table(columns, schema=STANDING)


def _stands_with(judged: Judged, rules: Rules, documents: Ints, num_images: Ints) -> pa.ListArray:
    """Return [D] whether each document stands with k images left, for k from 0 to all."""
    counts = num_images + 1
    edges = np.concatenate([[0], np.cumsum(counts)])
    rows = np.repeat(documents, counts)
    left = np.arange(edges[-1]) - np.repeat(edges[:-1], counts)
    stands = document_reasons(judged, rules.doc, rows, left).is_null().to_numpy(zero_copy_only=False)
    kinds = judged.facts.documents["kind"].to_numpy(zero_copy_only=False)[rows]
    stands &= (kinds != str(Kind.PAIR)) | (left > 0)  # a pair is its image
    return pa.ListArray.from_arrays(pa.array(edges, pa.int32()), pa.array(stands))


def standing_path(context: RunContext, decision: Decision, group: Fold) -> str:
    """Return where STANDING of a group lies until it is settled."""
    return decision.file(context, "standing", f"{group.name}.parquet")
