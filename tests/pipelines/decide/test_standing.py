from pathlib import Path

import numpy as np
import pytest

from curate.contract.ids import image_number
from curate.contract.schemas import STANDING
from pipelines.decide.decision import name_decision
from pipelines.decide.judge import Rules
from pipelines.decide.judge_partition import judge_partition
from pipelines.decide.pairs import load_or_propose
from pipelines.decide.standing import list_standing, stand, standing_path
from pipelines.run.context import RunContext
from pipelines.run.folder import read_table
from pipelines.run.manifest import cut_folds
from tests.pipelines.corpus import Doc, Picture, chat, doc, make_context, measured, pair, write_partition
from tests.pipelines.cut_small import cut_small
from tests.pipelines.in_process import InProcess

P = "mmc4-00000-00000"
TEXT = "words of a document"
RULES = "keep: {image.size: {min: 100}, doc.images: {min: 1, max: 3}}\ndedup: {image: {exact: true}}\n"
SMALL = (9, 9)
NUMBER = 5
"""Of the partition."""


def standing_of(tmp_path: Path, docs: list[Doc], *rows: int, recipe: str = RULES) -> list[dict[str, object]]:
    """Return STANDING of a partition where these rows of images are in a pair."""
    context = make_context(tmp_path, recipe)
    write_partition(context, P, docs)
    measured(context, P)
    rules = Rules.of(context.recipe)
    members = np.array([image_number(NUMBER, row) for row in rows], dtype=np.int64)
    table = stand(judge_partition(context, P, rules), rules, members, partition=NUMBER)
    assert table.schema.equals(STANDING)
    return table.to_pylist()  # type: ignore[no-any-return]


def n(*rows: int) -> list[int]:
    return [image_number(NUMBER, row) for row in rows]


def test_documents_with_an_image_in_a_pair_are_listed_in_input_order(tmp_path: Path) -> None:
    docs = [
        doc("c", Picture(number=1), TEXT, Picture(number=2)),
        doc("b", TEXT, Picture(number=3)),
        doc("a", TEXT, Picture(number=4), Picture(number=5)),
    ]
    assert standing_of(tmp_path, docs, 0, 1, 4) == [
        {"doc_id": "c", "images": n(0, 1), "positions": [0, 2], "stands_with": [False, True, True]},
        {"doc_id": "a", "images": n(4), "positions": [2], "stands_with": [False, True, True]},
    ]


def test_fallen_images_and_documents_are_left_out(tmp_path: Path) -> None:
    small = Picture(number=2, sides=SMALL)
    docs = [
        doc("fallen", TEXT, *(Picture(number=k) for k in range(10, 14))),
        doc("a", TEXT, Picture(number=1), small, Picture(number=3)),
        doc("bare", TEXT, small),
    ]
    assert standing_of(tmp_path, docs, 0, 1, 4, 5, 7) == [
        {"doc_id": "a", "images": n(4), "positions": [1], "stands_with": [False, True, True]}
    ]


def test_a_pair_does_not_stand_without_its_image_whatever_rules_say(tmp_path: Path) -> None:
    docs = [pair("p", Picture(number=1)), doc("d", TEXT, Picture(number=2))]
    found = standing_of(tmp_path, docs, 0, 1, recipe="dedup: {image: {exact: true}}\n")
    assert [row["stands_with"] for row in found] == [[False, True], [True, True]]


def test_a_document_may_fall_with_more_images_than_fewer(tmp_path: Path) -> None:
    docs = [doc("a", TEXT, *(Picture(number=k) for k in range(3)))]
    (row,) = standing_of(tmp_path, docs, 1, recipe=RULES.replace("min: 1, max: 3", "min: 2, max: 3"))
    assert row["stands_with"] == [False, False, True, True]


@pytest.mark.parametrize("docs", [[], [chat("c")], [doc("a", TEXT, Picture(number=1, sides=SMALL))]])
def test_nothing_that_stands_is_no_row(tmp_path: Path, docs: list[Doc]) -> None:
    assert standing_of(tmp_path, docs, *range(sum(d.doc_id == "a" for d in docs))) == []


def many(tmp_path: Path) -> tuple[RunContext, list[str]]:
    """Seven partitions of a document each; all but the third have the same picture."""
    context = make_context(tmp_path, RULES)
    names = [f"mmc4-{number:05d}-00000" for number in range(7)]
    for number, name in enumerate(names):
        write_partition(context, name, [doc(f"d{number}", TEXT, Picture(number=20 + (number == 2)))])
    return context, names


def test_groups_of_partitions_take_their_members_from_the_folds_that_they_are_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_small(monkeypatch, fold_partitions=2)
    context, names = many(tmp_path)
    manifest = measured(context, *names)
    assert context.recipe.dedup is not None
    proposed = load_or_propose(InProcess(), context, manifest, context.recipe.dedup.image)
    decision = name_decision(context, manifest, url_counts="")
    found = {}
    for group in cut_folds(names, size=3):
        report = list_standing(context, decision, group, proposed.folds, proposed.kinds)
        assert not report.skipped
        found[group.name] = read_table(standing_path(context, decision, group))
        assert report.counters == {"in pairs": found[group.name].num_rows}
        assert list_standing(context, decision, group, proposed.folds, proposed.kinds).skipped
    assert {name: table["doc_id"].to_pylist() for name, table in found.items()} == {
        "00000": ["d0", "d1"],
        "00001": ["d3", "d4", "d5"],
        "00002": ["d6"],
    }
    assert found["00001"]["images"].to_pylist() == [[image_number(number, 0)] for number in (3, 4, 5)]


def test_another_decision_is_listed_anew(tmp_path: Path) -> None:
    context, names = many(tmp_path)
    manifest = measured(context, *names)
    assert context.recipe.dedup is not None
    proposed = load_or_propose(InProcess(), context, manifest, context.recipe.dedup.image)
    (group,) = cut_folds(names)
    for url_counts in ("", "x"):
        decision = name_decision(context, manifest, url_counts=url_counts)
        assert not list_standing(context, decision, group, proposed.folds, proposed.kinds).skipped
