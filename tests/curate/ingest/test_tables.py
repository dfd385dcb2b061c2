import json
from dataclasses import replace

from curate.contract.ids import doc_id
from curate.contract.reasons import FetchStatus, IngestReason, Kind, Modality, Role
from curate.contract.records import Document, Fault, ImageFault, Item
from curate.contract.schemas import DOCUMENTS, HELD_IMAGES, ITEMS, VERDICTS, check_schema
from curate.ingest.tables import build_tables, chunk_records, clean_text

_PAIR = Document(
    native_id="http://i/",
    ordinal="a#1",
    kind=Kind.PAIR,
    meta={"lang": "en", "é": None},
    items=(Item(modality=Modality.IMAGE, image_url="http://i/"), Item(modality=Modality.TEXT, text="a cat")),
)
_FAULT = Fault(ordinal="a#2", reason=IngestReason.MALFORMED_RECORD, detail="a:2: broken")
_CHAT = Document(
    native_id="", ordinal="a#3", kind=Kind.TEXT, items=(Item(modality=Modality.TEXT, text="q", role=Role.USER),)
)


def test_tables_have_their_schemas() -> None:
    both: tuple[list[Document | Fault], ...] = ([], [_PAIR, _FAULT, _CHAT])
    for records in both:
        tables = build_tables(records, source="s")
        check_schema(tables.documents, DOCUMENTS, where="documents")
        check_schema(tables.items, ITEMS, where="items")
        check_schema(tables.verdicts, VERDICTS, where="verdicts")


def test_rows_stand_in_input_order() -> None:
    tables = build_tables([_PAIR, _FAULT, _CHAT], source="s", kind=Kind.PAIR)
    ids = [doc_id("s", "http://i/", "a#1"), doc_id("s", "", "a#2"), doc_id("s", "", "a#3")]
    assert tables.documents["doc_id"].to_pylist() == ids
    assert tables.documents["kind"].to_pylist() == ["pair", "pair", "text"]
    assert json.loads(tables.documents["meta"][0].as_py()) == _PAIR.meta
    assert tables.items["position"].to_pylist() == [0, 1, 0]
    assert tables.items["role"].to_pylist() == [None, None, "user"]


def test_documents_tell_their_place_and_licence() -> None:
    stated = replace(_CHAT, meta={"LICENSE": "cc-by-4.0", "text": "x" * 10_000_000})
    rows = build_tables([_PAIR, _FAULT, stated], source="s").documents.select(["origin", "license"]).to_pylist()
    assert [row["origin"] and (row["origin"]["file"], row["origin"]["row"]) for row in rows] == [
        ("a", 1),
        None,
        ("a", 3),
    ]
    assert [row["license"] and row["license"]["id"] for row in rows] == [None, None, "CC-BY-4.0"]


def test_a_fault_is_a_rejected_document_without_items() -> None:
    tables = build_tables([_FAULT], source="s")
    assert tables.items.num_rows == 0
    assert tables.verdicts.to_pylist() == [
        {
            "doc_id": tables.documents["doc_id"][0].as_py(),
            "position": -1,
            "stage": "ingest",
            "reason": "ingest.malformed_record",
            "detail": "a:2: broken",
        }
    ]


def test_what_is_held_or_should_be_has_a_row() -> None:
    image = Item(modality=Modality.IMAGE, image_url="file:a")
    fault = ImageFault(status=FetchStatus.MISSING_FILE, detail="no \ud800")
    items = (image, replace(image, image_bytes=b"J"), replace(image, image_fault=fault))
    tables = build_tables([replace(_PAIR, items=items)], source="s")
    check_schema(tables.held, HELD_IMAGES, where="held")
    assert [tuple(row.values())[1:] for row in tables.held.to_pylist()] == [
        (1, b"J", None, None),
        (2, None, "missing_file", "no \ufffd"),
    ]


def test_lone_surrogates_do_not_stop_a_partition() -> None:
    odd = Document(
        native_id="\ud800",
        ordinal="a#1",
        kind=Kind.TEXT,
        meta={"k": "\udfff"},
        items=(Item(modality=Modality.TEXT, text="x\ud83d"),),
    )
    tables = build_tables([odd], source="s")
    assert tables.items["text"].to_pylist() == ["x\ufffd"]
    assert json.loads(tables.documents["meta"][0].as_py()) == {"k": "\ufffd"}
    assert clean_text(None) is None
    assert clean_text("é🙂") == "é🙂"


def test_chunks_are_full_but_the_last() -> None:
    assert [len(chunk) for chunk in chunk_records([_CHAT] * 5, num_docs=2)] == [2, 2, 1]
    assert list(chunk_records([], num_docs=2)) == []
