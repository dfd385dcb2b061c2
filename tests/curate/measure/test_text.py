import pyarrow as pa

from curate.contract.schemas import ITEMS, TEXT_MEASURES, check_schema, table_from_rows
from curate.measure.text import measure_text


def make_items(*rows: tuple[str, int, str | None]) -> pa.Table:
    """Rows of (doc_id, position, text); no text makes an image item."""
    return table_from_rows(
        [
            {"doc_id": doc_id, "position": position, "modality": "image" if text is None else "text", "text": text}
            for doc_id, position, text in rows
        ],
        ITEMS,
    )


def test_a_row_per_document_and_per_text_item() -> None:
    items = make_items(
        ("d1", 0, "A red circle lies on the table."), ("d1", 1, None), ("d1", 2, "It is very small."), ("d2", 0, "你好")
    )
    measured = measure_text(items)
    check_schema(measured, TEXT_MEASURES, where="test")
    assert measured.select(["doc_id", "position", "num_words", "num_chars"]).to_pylist() == [
        {"doc_id": "d1", "position": -1, "num_words": 11, "num_chars": 48},
        {"doc_id": "d1", "position": 0, "num_words": 7, "num_chars": 31},
        {"doc_id": "d1", "position": 2, "num_words": 4, "num_chars": 17},
        {"doc_id": "d2", "position": -1, "num_words": 1, "num_chars": 2},
        {"doc_id": "d2", "position": 0, "num_words": 1, "num_chars": 2},
    ]
    assert measured["lang"].to_pylist() == ["en", "en", "en", "zh", "zh"]


def test_a_document_of_images_only_has_no_language_and_no_words() -> None:
    assert measure_text(make_items(("d1", 0, None))).to_pylist() == [
        {
            "doc_id": "d1",
            "position": -1,
            "lang": None,
            "lang_prob": None,
            "num_words": 0,
            "num_chars": 0,
            "replacement_ratio": 0.0,
        }
    ]


def test_the_share_of_replaced_characters_is_of_an_item_or_of_all() -> None:
    measured = measure_text(make_items(("d1", 0, "a\ufffdb\ufffd"), ("d1", 1, None), ("d1", 2, "four"), ("d2", 0, "")))
    assert measured["replacement_ratio"].to_pylist() == [0.25, 0.5, 0.0, 0.0, 0.0]


def test_a_text_item_that_is_null_counts_nothing() -> None:
    items = table_from_rows([{"doc_id": "d1", "position": 0, "modality": "text"}], ITEMS)
    assert measure_text(items)["num_words"].to_pylist() == [0, 0]


def test_no_items_give_no_rows() -> None:
    measured = measure_text(ITEMS.empty_table())
    check_schema(measured, TEXT_MEASURES, where="test")
    assert measured.num_rows == 0
