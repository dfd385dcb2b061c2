import pytest

from curate.contract.reasons import IngestReason, Kind, Modality
from curate.contract.records import Document, Item
from curate.ingest.config import PairsSource
from curate.ingest.faults import ColumnError, Place, RecordError
from curate.ingest.pairs import read_pair_row, word_columns
from curate.ingest.row import Row


def _read(fields: dict[str, object], **options: str) -> Document:
    row = Row(place=Place(label="a.csv", number=2), fields=fields)
    return read_pair_row(row, source=PairsSource(name="s", path="a.csv", **options))


def test_image_comes_first_and_the_rest_is_meta() -> None:
    assert _read({"URL": "http://a/i.jpg", "TEXT": " a cat ", "WIDTH": 640}) == Document(
        native_id="http://a/i.jpg",
        ordinal="a.csv#2",
        kind=Kind.PAIR,
        meta={"WIDTH": 640},
        items=(
            Item(modality=Modality.IMAGE, image_url="http://a/i.jpg"),
            Item(modality=Modality.TEXT, text="a cat"),
        ),
    )


@pytest.mark.parametrize("name", ["text", "TEXT", "caption", "alt"])
def test_usual_text_columns(name: str) -> None:
    assert _read({"url": "u", name: "a cat"}).items[1].text == "a cat"


def test_named_columns() -> None:
    document = _read({"url": "no", "text": "no", "img": "u", "long": "yes"}, url_column="img", text_column="long")
    assert [item.image_url or item.text for item in document.items] == ["u", "yes"]
    assert word_columns(PairsSource(name="s", path="a", url_column="img")) == ("img", "text")


@pytest.mark.parametrize("text", [None, "", " "])
def test_pair_without_text_is_empty(text: str | None) -> None:
    with pytest.raises(RecordError) as caught:
        _read({"url": "u", "text": text})
    assert caught.value.reason is IngestReason.EMPTY_DOCUMENT


def test_txt_line_with_a_url_only_is_empty() -> None:
    with pytest.raises(RecordError) as caught:
        _read({"url": "u"})
    assert caught.value.reason is IngestReason.EMPTY_DOCUMENT


@pytest.mark.parametrize("fields", [{"url": None, "text": "a"}, {"url": 3, "text": "a"}, {"url": "u", "text": 3}])
def test_wrong_values(fields: dict[str, object]) -> None:
    with pytest.raises(RecordError) as caught:
        _read(fields)
    assert caught.value.reason is IngestReason.MALFORMED_RECORD


def test_missing_columns() -> None:
    with pytest.raises(ColumnError, match="image URL"):
        _read({"text": "a"})
    with pytest.raises(ColumnError, match="for the text"):
        _read({"url": "u", "title": "a"})
