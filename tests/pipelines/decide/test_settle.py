from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from curate.contract.ids import image_number
from curate.contract.schemas import COPIES, EQUAL_IMAGES, SIMILAR_IMAGES, STANDING, table_from_rows
from curate.dedup.config import ImageDedupConfig
from pipelines.decide.decision import Decision
from pipelines.decide.pairs import Proposed
from pipelines.decide.settle import settle_copies
from pipelines.decide.standing import standing_path
from pipelines.run.context import RunContext
from pipelines.run.folder import write_table
from pipelines.run.manifest import Fold, cut_folds
from pipelines.run.splits import read_part, write_split
from tests.pipelines.corpus import make_context
from tests.pipelines.cut_small import cut_small

DECISION = Decision(fingerprint="f" * 64)
NAMES = [f"p{number}" for number in range(5)]
ABOUT = ImageDedupConfig(exact=True, cosine=0.9)


def image(partition: int, row: int = 0) -> int:
    return int(image_number(partition, row))


def propose(context: RunContext, equal: list[list[int]], similar: list[tuple[int, int, float]]) -> Proposed:
    """Write pairs, each class of equal images in a file of its own."""
    paths = []
    for number, images in enumerate(equal):
        rows = pa.table([pa.array(images), pa.array([images[0]] * len(images))], schema=EQUAL_IMAGES)
        path = context.folder.file("pairs", f"equal-{number}.arrow")
        none = np.zeros(len(images), np.int64)
        write_split(path, rows, none, num_parts=1, schema=EQUAL_IMAGES, made_from="x")
        paths.append(path)
    made: list[dict[str, object]] = [dict(zip(("first", "second", "cosine"), pair, strict=True)) for pair in similar]
    path = context.folder.file("pairs", "similar.arrow")
    rows = table_from_rows(made, SIMILAR_IMAGES)
    write_split(path, rows, np.zeros(len(made), np.int64), num_parts=1, schema=SIMILAR_IMAGES, made_from="x")
    folds = tuple(cut_folds(NAMES))
    return Proposed(folds=folds, equal=tuple(paths), similar=(path,), kinds=("equal", "similar"))


def stand(context: RunContext, *documents: tuple[str, list[int], list[bool]]) -> list[Fold]:
    """Write STANDING of documents; those of the first three partitions make a group."""
    groups = cut_folds(NAMES, size=3)
    for group in groups:
        partitions = range(group.start, group.start + len(group.partitions))
        standing: list[dict[str, object]] = [
            {
                "doc_id": doc_id,
                "images": images,
                "positions": [7 + k for k in range(len(images))],
                "stands_with": stands,
            }
            for doc_id, images, stands in documents
            if images[0] >> 32 in partitions
        ]
        path = standing_path(context, DECISION, group)
        write_table(path, table_from_rows(standing, STANDING), schema=STANDING, made_from=DECISION.fingerprint)
    return groups


def copies(context: RunContext) -> list[tuple[int, int, str, str]]:
    """Return (partition, row, reason, original) as each partition reads them."""
    found = []
    for number in range(len(NAMES)):
        table = read_part(*DECISION.copies_path(context, number))
        assert table.schema.equals(COPIES)
        for one in table.to_pylist():
            assert one["image"] >> 32 == number
            found.append((number, one["image"] & 0xFFFFFFFF, one["reason"], one["original"]))
    return found


@pytest.mark.parametrize("fold_partitions", [1, 2, 3, 64])
def test_copies_are_divided_by_the_partition_that_they_are_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fold_partitions: int
) -> None:
    cut_small(monkeypatch, fold_partitions=fold_partitions)
    context = make_context(tmp_path)
    proposed = propose(
        context,
        [[image(0), image(3, 2), image(4, 1)], [image(0, 1), image(3, 1)]],
        [(image(0), image(1), 0.95), (image(0), image(3, 5), 0.7), (image(0), image(0), 1.0)],
    )
    groups = stand(
        context,
        ("d0", [image(0), image(0, 1)], [True] * 3),
        ("d1", [image(1)], [True] * 2),
        ("d3", [image(3, 1), image(3, 2), image(3, 5)], [True] * 4),
        ("d4", [image(4, 1)], [True] * 2),
    )
    report = settle_copies(context, DECISION, proposed, groups, ABOUT)
    assert (report.partition, report.counters) == ("copies", {"copies": 4})
    assert copies(context) == [
        (1, 0, "dedup.cosine", "d0:7"),
        (3, 1, "dedup.exact", "d0:8"),
        (3, 2, "dedup.exact", "d0:7"),
        (4, 1, "dedup.exact", "d0:7"),
    ]
    assert len(list(Path(DECISION.file(context, "copies")).iterdir())) == -(-len(NAMES) // fold_partitions)


def test_a_document_that_falls_with_its_copies_shields_none(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    proposed = propose(context, [[image(0), image(1)], [image(1, 1), image(2), image(4)]], [])
    groups = stand(
        context,
        ("d0", [image(0)], [False, True]),
        ("d1", [image(1), image(1, 1)], [False, False, True]),
        ("d2", [image(2)], [False, True]),
        ("d4", [image(4)], [False, True]),
    )
    settle_copies(context, DECISION, proposed, groups, ABOUT)
    assert copies(context) == [(1, 0, "dedup.exact", "d0:7"), (4, 0, "dedup.exact", "d2:7")]


def test_what_is_settled_is_not_settled_again_unless_a_file_of_it_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_small(monkeypatch, fold_partitions=2)
    context = make_context(tmp_path)
    proposed = propose(context, [[image(0), image(4)]], [])
    groups = stand(context, ("d0", [image(0)], [True] * 2), ("d4", [image(4)], [True] * 2))
    assert not settle_copies(context, DECISION, proposed, groups, ABOUT).skipped
    assert settle_copies(context, DECISION, proposed, groups, ABOUT).skipped
    Path(DECISION.copies_path(context, 4)[0]).unlink()
    assert not settle_copies(context, DECISION, proposed, groups, ABOUT).skipped
    assert copies(context) == [(4, 0, "dedup.exact", "d0:7")]


def test_without_pairs_there_are_no_copies(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    assert settle_copies(context, DECISION, propose(context, [], []), stand(context), ABOUT).counters == {"copies": 0}
    assert copies(context) == []
