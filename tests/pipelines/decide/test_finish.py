from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from curate.blend.queues import hash_doc_ids
from curate.contract.errors import CurateError
from curate.contract.schemas import MATCHES, POOL
from pipelines.decide.decided import Decided
from pipelines.decide.finish import (
    finish_group,
    finish_partition,
    load_decided,
    match,
    pool,
    read_rejections,
)
from pipelines.decide.judge import Judged, Rules, judge
from pipelines.recipes.load import parse_recipe
from pipelines.run.context import RunContext
from pipelines.run.manifest import Fold
from tests.pipelines.corpus import (
    CLIP,
    SOURCES,
    Doc,
    Picture,
    chat,
    decide_all,
    doc,
    jpeg,
    make_context,
    pair,
    write_partition,
)
from tests.pipelines.decide.test_facts import facts_of

RECIPE = CLIP + "keep: {image.size: {min: 100}, doc.images: {min: 1}}\ndedup: {image: {exact: true, cosine: 0.9}}\n"
FIRST, SECOND = "mmc4-00000-00000", "mmc4-00001-00000"
TEXT = "words of a document"
SMALL = (9, 9)


def judged_of(*docs: Doc, **more: Any) -> Judged:
    return judge(facts_of(*docs, **more), Rules.of(parse_recipe(SOURCES + RECIPE)), None)


def corpus(tmp_path: Path) -> tuple[RunContext, Decided]:
    context = make_context(tmp_path, RECIPE)
    small = Picture(number=3, sides=SMALL)
    write_partition(context, FIRST, [doc("b", TEXT, Picture(number=1), small), doc("a", TEXT, Picture(number=2))])
    write_partition(context, SECOND, [doc("d", TEXT, Picture(number=1)), doc("c", TEXT, Picture(number=4))])
    return context, decide_all(context, FIRST, SECOND)


def group_of(*names: str, start: int = 0) -> Fold:
    return Fold(number=0, start=start, partitions=names)


def test_every_kept_image_has_a_row_with_its_own_text_and_how_alike_they_are() -> None:
    judged = judged_of(
        doc("b", Picture(number=1, sims=(0.5, 0.75)), "one", Picture(number=2, sims=(0.25, 0.875)), "two"),
        doc("fallen", TEXT, Picture(number=3, sides=SMALL)),
        doc("a", "one", Picture(number=5, sides=SMALL, sims=(0.9, 0.9)), Picture(number=4, sims=(0.5, 0.125)), "two"),
        doc("bare", Picture(number=6, sims=())),
        pair("p", Picture(number=7, sims=(0.25,))),
    )
    table = match(judged)
    assert table.schema.equals(MATCHES)
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        ("b", 0, 1, 0.5),
        ("b", 2, 3, 0.875),
        ("a", 2, 0, 0.5),
        ("bare", 0, None, None),
        ("p", 0, 1, 0.25),
    ]


def test_without_scores_kept_images_have_no_text() -> None:
    judged = judged_of(doc("a", "one", Picture(number=1)), clip=None)
    assert match(judged).to_pylist() == [{"doc_id": "a", "position": 1, "matched_position": None, "matched_sim": None}]
    assert match(judged_of()).equals(MATCHES.empty_table())


def test_documents_that_stand_are_in_the_pool_with_what_is_left_of_them() -> None:
    judged = judged_of(
        doc("b", "zwölf", Picture(number=1), Picture(number=2, sides=SMALL), Picture(number=4)),
        doc("fallen", TEXT),
        chat("c", "what", "it is"),
        Doc(doc_id="nothing", items=(), kind="text"),
    )
    table = pool(judged)
    assert table.schema.equals(POOL)
    rows = [tuple(row.values()) for row in table.to_pylist()]
    hashes = [int(one) for one in hash_doc_ids(["b", "c"])]
    assert rows == [
        ("b", hashes[0], "mmc4", "interleaved", 2, 1, 5, 6 + len(jpeg(1)) + len(jpeg(4))),
        ("c", hashes[1], "flan", "text", 0, 3, 10, 9),
    ]
    assert pool(judged_of()).equals(POOL.empty_table())


def test_a_group_is_written_once_and_counted_every_time(tmp_path: Path) -> None:
    context, decided = corpus(tmp_path)
    group = group_of(FIRST, SECOND)
    report = finish_group(context, decided.decision, group)
    assert report.skipped
    wanted = {"kept": 3, "image.size images": 1, "dedup.exact images": 1, "doc.images documents": 1}
    assert report.counters == wanted
    Path(context.folder.path(decided.decision.matches, SECOND)).unlink()
    again = finish_group(context, decided.decision, group)
    assert (again.skipped, again.counters) == (False, wanted)
    assert context.folder.stamp(decided.decision.matches, SECOND) is not None
    assert finish_group(context, decided.decision, group_of(SECOND, start=1)).counters["kept"] == 1


def test_rejections_are_read_from_the_counters_and_kept_documents_are_none() -> None:
    counters = Counter({"kept": 3, "image.size images": 1, "image.size documents": 2})
    assert read_rejections(counters) == {("image.size", "images"): 1, ("image.size", "documents"): 2}


def damage_pages(path: Path) -> None:
    """Leave the footer, with its stamp, as it is."""
    whole = path.read_bytes()
    end = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    path.write_bytes(whole[:4] + b"\xff" * (end - 4) + whole[end:])


@pytest.mark.parametrize("damage", ["lost", "cut", "pages"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_table_that_is_lost_or_damaged_is_made_anew(tmp_path: Path, place: int, damage: str) -> None:
    context, decided = corpus(tmp_path)
    table = decided.decision.tables[place]
    path = Path(context.folder.path(table, SECOND))
    whole, wanted = path.read_bytes(), context.folder.read(table, SECOND)
    assert wanted.num_rows
    if damage == "lost":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(whole[:50])
    else:
        damage_pages(path)
    columns = wanted.column_names[:1]
    assert load_decided(context, decided.decision, table, 1, SECOND, columns=columns).equals(wanted.select(columns))
    assert path.read_bytes() == whole
    assert load_decided(context, decided.decision, table, 1, SECOND).equals(wanted)


def test_a_group_whose_tables_have_damaged_pages_is_counted_all_the_same(tmp_path: Path) -> None:
    context, decided = corpus(tmp_path)
    before = finish_group(context, decided.decision, group_of(FIRST)).counters
    for table in (decided.decision.verdicts, decided.decision.pool):
        damage_pages(Path(context.folder.path(table, FIRST)))
    assert finish_group(context, decided.decision, group_of(FIRST)).counters == before


def test_lost_copies_are_named_where_they_are_needed(tmp_path: Path) -> None:
    context, decided = corpus(tmp_path)
    Path(decided.decision.copies_path(context, 0)[0]).unlink()
    with pytest.raises(CurateError, match=r"copies/00000\.arrow: cannot be read"):
        finish_partition(context, decided.decision, 0, FIRST)
    assert decide_all(context, FIRST, SECOND).rejections == decided.rejections
    assert load_decided(context, decided.decision, decided.decision.pool, 0, FIRST).num_rows == 2
