from dataclasses import replace

from curate.contract.schemas import ITEMS, table_from_rows
from curate.report.data import GalleryDocument, ShownImage, ShownText
from curate.report.gallery import MAX_ITEMS, MAX_TEXT_CHARS, PartitionTables, add_thumbnails, build_entries
from tests.curate.report import tables as make


def entry(doc_id: str, tables: PartitionTables | None = None) -> GalleryDocument:
    return build_entries(tables or make.mixed_partition(), [doc_id])[doc_id]


def texts(document: GalleryDocument) -> list[ShownText]:
    return [item for item in document.items if isinstance(item, ShownText)]


def pictures(document: GalleryDocument) -> list[ShownImage]:
    return [item for item in document.items if isinstance(item, ShownImage)]


def test_items_stand_in_document_order_with_matches_both_ways() -> None:
    document = entry("a")
    assert [item.position for item in document.items] == [0, 1, 2, 3]
    kept, rejected = pictures(document)
    assert (kept.matched_position, kept.matched_sim, kept.reason) == (2, 0.25, None)  # assigned, not the closest
    assert texts(document)[1].matches == ((1, 0.25, True),)
    assert texts(document)[1].colour == kept.colour == 0
    assert (rejected.reason, rejected.matched_position, rejected.colour) == ("image.clip", 0, None)
    assert texts(document)[0].matches == ((2, 0.125, False),)
    assert texts(document)[0].colour is None
    assert kept.size_px == (400, 300)


def test_a_rejected_document_says_why_per_image_too() -> None:
    document = entry("b")
    assert (document.reason, document.stage) == ("doc.images", "keep")
    image = pictures(document)[0]
    assert (image.status, image.reason, image.detail) == ("http_404", "fetch.http_404", "404 <b>Not Found</b>")
    assert pictures(entry("c"))[0].reason == "doc.rejected"


def test_missing_tables_leave_gaps_not_errors() -> None:
    part = make.mixed_partition()
    bare = PartitionTables(documents=part.documents, items=part.items, verdicts=part.verdicts)
    document = entry("a", bare)
    assert document.num_words is None
    assert [image.status for image in pictures(document)] == [None, None]
    assert pictures(document)[0].best_sim is None


def test_scores_that_do_not_fit_the_texts_are_not_guessed() -> None:
    part = replace(make.mixed_partition(), clip=make.clip(("a", 3, [0.5])), matches=None)
    assert pictures(entry("a", part))[1].matched_position is None


def test_a_document_without_items_is_shown() -> None:
    part = replace(make.mixed_partition(), items=make.items(), verdicts=make.verdicts())
    assert entry("d", part).items == ()


def test_long_documents_are_cut() -> None:
    rows: list[dict[str, object]] = [
        {"doc_id": "d", "position": i, "modality": "text", "text": "x" * (MAX_TEXT_CHARS + 1)}
        for i in range(MAX_ITEMS + 5)
    ]
    part = replace(make.mixed_partition(), items=table_from_rows(rows, ITEMS), verdicts=make.verdicts())
    document = entry("d", part)
    assert len(document.items) == MAX_ITEMS
    assert document.num_left_out == 5
    assert texts(document)[0].text.endswith("x …")
    assert len(texts(document)[0].text) == MAX_TEXT_CHARS + 2


def test_thumbnails_go_to_their_positions() -> None:
    images = pictures(add_thumbnails(entry("a"), {1: "data:x"}))
    assert [image.thumbnail for image in images] == ["data:x", None]


def test_only_the_asked_documents_are_built() -> None:
    assert list(build_entries(make.mixed_partition(), ["d", "a"])) == ["d", "a"]
