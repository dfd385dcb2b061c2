"""Settle: which images fall as copies, in one task that reads ids and pairs alone."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import pyarrow as pa

from curate.contract.ids import split_image_number
from curate.contract.reasons import Stage
from curate.contract.schemas import COPIES, EQUAL_IMAGES, SIMILAR_IMAGES
from curate.dedup.config import ImageDedupConfig
from curate.dedup.settle import Copy, StandingDocument, index_pairs, settle
from pipelines.decide.decision import Decision
from pipelines.decide.pairs import Proposed
from pipelines.decide.standing import standing_path
from pipelines.engine.loop import Report
from pipelines.run.context import RunContext
from pipelines.run.folder import read_table
from pipelines.run.manifest import FOLD_PARTITIONS, Fold
from pipelines.run.splits import is_split_written, read_all, write_split


def settle_copies(
    context: RunContext, decision: Decision, proposed: Proposed, groups: Sequence[Fold], config: ImageDedupConfig
) -> Report:
    """Write the copies of the run, divided by partition.

    Args:
        context: The run.
        decision: That is made.
        proposed: Pairs of the run.
        groups: Whose STANDING is written, in input order.
        config: What counts as a copy.
    """
    made_from = decision.fingerprint
    paths = [decision.copies_path(context, fold.start)[0] for fold in proposed.folds]
    if all(is_split_written(path, made_from) for path in paths):
        return Report(stage=Stage.DECIDE, partition="copies", skipped=True)
    equal = read_all(proposed.equal, schema=EQUAL_IMAGES)
    pairs = index_pairs(equal, read_all(proposed.similar, schema=SIMILAR_IMAGES), config)
    copies = settle(_documents(context, decision, groups), pairs, exact=config.exact)
    by_fold = groupby(copies, key=lambda copy: split_image_number(copy.image)[0] // FOLD_PARTITIONS)
    number, of_fold = next(by_fold, (-1, iter(())))
    num_copies = 0
    for fold, path in zip(proposed.folds, paths, strict=True):
        own = list(of_fold) if fold.number == number else []
        if fold.number == number:
            number, of_fold = next(by_fold, (-1, iter(())))
        _write(path, own, fold, made_from)
        num_copies += len(own)
    return Report(stage=Stage.DECIDE, partition="copies", counters={"copies": num_copies})


def _documents(context: RunContext, decision: Decision, groups: Sequence[Fold]) -> Iterator[StandingDocument]:
    for group in groups:
        table = read_table(standing_path(context, decision, group))
        columns = (table[name].to_pylist() for name in StandingDocument._fields)
        yield from map(StandingDocument._make, zip(*columns, strict=True))


def _write(path: str, copies: list[Copy], fold: Fold, made_from: str) -> None:
    columns = [[copy[place] for copy in copies] for place in range(len(COPIES))]
    rows = pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, COPIES, strict=True)], schema=COPIES
    )
    partitions, _ = split_image_number(rows["image"].to_numpy())
    parts = np.asarray(partitions - fold.start, dtype=np.int64)
    write_split(path, rows, parts, num_parts=len(fold.partitions), schema=COPIES, made_from=made_from)
