from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from curate.contract.schemas import table_from_rows
from pipelines.decide.facts import Facts, Sources, find_rows, gather, image_items, split_facts
from pipelines.run import tables
from pipelines.run.tables import FACTS
from tests.pipelines.corpus import Doc, Picture, clip_rows, doc, image_rows, item_rows, pair, text_rows

FIRST = doc("b", "one two", Picture(number=1, sims=(0.5, 0.25)), "größer", Picture(number=2, sims=(0.125, 0.75)))
SECOND = pair("a", Picture(number=3, sims=(0.5,)))


def sources(*docs: Doc, fetched: bool = True, **more: Any) -> Sources:
    """Return the tables of documents in this order; rows of items, images and scores stand in the order of ids."""
    by_id = sorted(docs, key=lambda one: one.doc_id)
    rows = {
        tables.DOCUMENTS: [{"doc_id": d.doc_id, "source": d.source, "kind": d.kind, "meta": "{}"} for d in docs],
        tables.ITEMS: [row for d in by_id for row in item_rows(d)],
        tables.TEXT_MEASURES: [row for d in by_id for row in text_rows(d)],
        tables.IMAGES: [row for d in by_id for row in image_rows(d)],
        tables.CLIP_MEASURES: [row for d in by_id for row in clip_rows(d)],
    }
    made = {table: table_from_rows(own, table.schema) for table, own in rows.items()}
    later = {"images": made[tables.IMAGES], "clip": made[tables.CLIP_MEASURES]} if fetched else {}
    given: dict[str, Any] = {
        "documents": made[tables.DOCUMENTS],
        "items": made[tables.ITEMS],
        "verdicts": [],
        "poison": {},
        "text": made[tables.TEXT_MEASURES],
    }
    return Sources(**given | later | more)


def facts_of(*docs: Doc, **more: Any) -> Facts:
    table = gather(sources(*docs, **more))
    assert table.schema.equals(FACTS.schema)
    return split_facts(table)


def verdicts(*rows: tuple[str, str, str, str | None]) -> pa.Table:
    names = ("doc_id", "stage", "reason", "detail")
    made: list[dict[str, object]] = [{"position": -1, **dict(zip(names, row, strict=True))} for row in rows]
    return table_from_rows(made, tables.INGEST_VERDICTS.schema)


def test_documents_stand_in_their_order_with_what_is_known_of_their_texts() -> None:
    facts = facts_of(FIRST, SECOND)
    columns = ["doc_id", "source", "kind", "document", "position", "num_words", "num_texts", "text_num_bytes"]
    assert [tuple(row.values()) for row in facts.documents.select(columns).to_pylist()] == [
        ("b", "mmc4", "interleaved", 0, -1, 3, 2, 15),
        ("a", "coyo", "pair", 1, -1, 2, 1, 9),
    ]
    assert facts.documents["text_positions"].to_pylist() == [[0, 2], [1]]
    assert facts.documents["fault_reason"].to_pylist() == [None, None]
    assert facts.documents["image_id"].null_count == 2


def test_images_stand_in_the_order_of_documents_though_their_tables_do_not() -> None:
    facts = facts_of(FIRST, SECOND)
    assert facts.document.tolist() == [0, 0, 1]
    assert facts.images["position"].to_pylist() == [1, 3, 0]
    assert facts.images["image_url"].to_pylist() == [f"http://h/{n}.jpg" for n in (1, 2, 3)]
    assert facts.images["width"].to_pylist() == [17, 18, 19]
    assert facts.images["similarity"].to_pylist() == [[0.5, 0.25], [0.125, 0.75], [0.5]]
    assert facts.images["best_sim"].to_pylist() == [0.5, 0.75, 0.5]
    assert facts.images["doc_id"].null_count == 3
    assert facts.kinds_of_images().to_pylist() == ["interleaved", "interleaved", "pair"]


def test_images_are_known_by_the_bytes_of_their_hash() -> None:
    wanted = {row["position"]: row["image_id"] for row in image_rows(FIRST)}
    facts = facts_of(FIRST)
    assert [one.hex() for one in facts.images["image_id"].to_pylist()] == [wanted[1], wanted[3]]


def test_the_order_of_rows_in_the_tables_changes_nothing() -> None:
    plain = sources(FIRST, SECOND)
    turned = sources(
        FIRST,
        SECOND,
        images=plain.images.take(pa.array([2, 0, 1])),  # type: ignore[union-attr]
        clip=plain.clip.take(pa.array([1, 2, 0])),  # type: ignore[union-attr]
        text=plain.text.take(pa.array(range(plain.text.num_rows - 1, -1, -1))),
    )
    assert gather(turned).equals(gather(plain))


def test_tables_of_many_chunks_are_read_whole() -> None:
    plain = sources(FIRST, SECOND)
    cut = {
        name: pa.concat_tables([table.slice(0, 1), table.slice(1, 0), table.slice(1)])
        for name in ("documents", "items", "text", "images", "clip")
        if (table := getattr(plain, name)) is not None
    }
    assert gather(sources(FIRST, SECOND, **cut)).combine_chunks().equals(gather(plain).combine_chunks())


def test_before_images_are_fetched_nothing_is_known_of_them() -> None:
    facts = facts_of(FIRST, SECOND, fetched=False)
    assert facts.images["image_url"].null_count == 0
    for name in ("status", "image_id", "original_width", "similarity"):
        assert facts.images[name].null_count == 3, name


def test_images_that_were_never_fetched_or_not_scored_have_nulls() -> None:
    plain = sources(FIRST, SECOND)
    facts = facts_of(FIRST, SECOND, images=plain.images.slice(1), clip=plain.clip.slice(0, 2))  # type: ignore[union-attr]
    # In the order of ids the first of the fetched images is that of document a.
    assert facts.images["status"].to_pylist() == ["ok", "ok", None]
    assert facts.images["best_sim"].to_pylist() == [0.5, None, 0.5]
    none = facts_of(FIRST, clip=plain.clip.slice(0, 0))  # type: ignore[union-attr]
    assert none.images["best_sim"].null_count == 2


def test_what_belongs_to_no_document_here_is_left_out() -> None:
    """As a probe sees it: some documents, and whatever of the other tables was stored for all."""
    both = sources(FIRST, SECOND)
    facts = facts_of(SECOND, images=both.images, clip=both.clip, text=both.text)
    assert facts.documents["doc_id"].to_pylist() == ["a"]
    assert facts.images["width"].to_pylist() == [19]


def test_faults_of_records_pages_and_poison_are_told_and_the_first_counts() -> None:
    docs = [doc(name, "text") for name in ("a", "b", "c", "d")]
    records = verdicts(("a", "ingest", "ingest.malformed_record", "x.jsonl:3"))
    pages = verdicts(("a", "fetch_pages", "fetch.http_404", None), ("b", "fetch_pages", "fetch.http_404", "http://h/b"))
    facts = facts_of(*docs, verdicts=[records, pages], poison={"b": "measure_clip", "c": "measure_text"})
    columns = ["fault_stage", "fault_reason", "fault_detail"]
    assert [tuple(row.values()) for row in facts.documents.select(columns).to_pylist()] == [
        ("ingest", "ingest.malformed_record", "x.jsonl:3"),
        ("fetch_pages", "fetch.http_404", "http://h/b"),
        ("measure_text", "engine.poison", None),
        (None, None, None),
    ]


@pytest.mark.parametrize("fetched", [True, False])
def test_documents_without_items_or_measures_and_no_documents_at_all(fetched: bool) -> None:  # noqa: FBT001 - a case
    bare = doc("z")
    facts = facts_of(bare, FIRST, fetched=fetched, text=sources(FIRST).text)
    assert facts.documents["num_words"].to_pylist() == [None, 3]
    assert facts.documents["num_texts"].to_pylist() == [0, 2]
    assert facts.documents["text_positions"].to_pylist() == [[], [0, 2]]
    assert facts.document.tolist() == [1, 1]
    nothing = facts_of(fetched=fetched)
    assert (nothing.documents.num_rows, nothing.images.num_rows, len(nothing.document)) == (0, 0, 0)


def test_rows_of_another_table_are_found_by_document_and_position() -> None:
    facts = facts_of(FIRST, SECOND)
    other = pa.table(
        {"doc_id": ["a", "b", "x", "b"], "position": pa.array([0, 3, 1, 0], pa.int32()), "value": [10, 13, 5, 7]}
    )
    assert find_rows(facts, other).to_pylist() == [None, 1, 0]
    assert find_rows(facts, other.slice(0, 0)).to_pylist() == [None] * 3


def test_image_items_come_in_the_order_that_is_asked_for() -> None:
    items = sources(FIRST, SECOND).items
    found = {order: image_items(items, pa.array(order))["image_url"].to_pylist() for order in (("a", "b"), ("b", "a"))}
    assert found[("b", "a")] == [f"http://h/{n}.jpg" for n in (1, 2, 3)]
    assert found[("a", "b")] == [f"http://h/{n}.jpg" for n in (3, 1, 2)]


def test_facts_are_split_though_they_come_in_chunks() -> None:
    table = gather(sources(FIRST, SECOND))
    cut = pa.concat_tables([table.slice(0, 1), table.slice(1, 2), table.slice(3)])
    facts = split_facts(cut)
    assert (facts.documents.num_rows, facts.images.num_rows) == (2, 3)
    assert np.array_equal(facts.document, [0, 0, 1])
