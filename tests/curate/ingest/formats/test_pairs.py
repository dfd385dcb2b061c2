import pytest

from curate.contract.reasons import IngestReason, Kind, Modality
from curate.contract.records import Document, Item
from curate.ingest.config import PairsSource
from curate.ingest.files.faults import ColumnError, Place, RecordError
from curate.ingest.files.row import Row
from curate.ingest.formats.pairs import read_pair_row, word_columns


def _read(fields: dict[str, object], **options: str) -> Document:
    row = Row(place=Place(label="a.csv", number=2), fields=fields)
    (document,) = read_pair_row(row, source=PairsSource.model_validate({"name": "s", "path": "a.csv"} | options))
    return document


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


def test_a_document_for_each_caption_of_a_list_or_the_first() -> None:
    row = Row(place=Place(label="a", number=2), fields={"URL": b"u", "captions": ["one", None, " two "], "n": 1})
    source = PairsSource(name="s", path="a")
    documents = read_pair_row(row, source=source)
    assert [(each.ordinal, each.items[1].text, each.meta) for each in documents] == [
        ("a#2", "one", {"n": 1}),
        ("a#2/2", "two", {"n": 1}),
    ]
    assert len(read_pair_row(row, source=source.model_copy(update={"captions": "first"}))) == 1
    with pytest.raises(RecordError, match="captions is empty"):
        _read({"url": "u", "captions": ["", None]})


def test_columns_inside_structs_leave_the_rest_as_meta() -> None:
    image = {"url": "u", "width": 3, "alt": "a cat"}
    document = _read({"image": image, "n": 1}, url_column="image.url", text_column="image.alt")
    assert [item.image_url or item.text for item in document.items] == ["u", "a cat"]
    assert document.meta == {"image": {"width": 3}, "n": 1}


HASH = "0a" * 32


@pytest.mark.parametrize(
    ("fields", "options", "expected"),
    [
        ({"sha256": HASH.upper()}, {}, HASH),
        ({"sha256": "not a hash"}, {}, None),
        ({"sha256": None}, {}, None),
        ({"sha256": 7}, {}, None),
        ({}, {}, None),
        ({"sha256": "1b" * 32, "digest": HASH}, {"sha256_column": "digest"}, HASH),
        ({"sha256": HASH, "digest": None}, {"sha256_column": "digest"}, None),
        ({"digest": ""}, {"sha256_column": "digest"}, None),
    ],
)
def test_promised_hashes(fields: dict[str, object], options: dict[str, str], expected: str | None) -> None:
    document = _read({"url": "u", "text": "a cat"} | fields, **options)
    assert [item.expected_sha256 for item in document.items] == [expected, None]


@pytest.mark.parametrize("value", ["0a", 7, "0g" * 32])
def test_a_named_column_must_hold_hashes(value: object) -> None:
    with pytest.raises(RecordError, match="digest must be 64 hex digits"):
        _read({"url": "u", "text": "a cat", "digest": value}, sha256_column="digest")


def test_a_named_hash_column_must_be_there() -> None:
    with pytest.raises(ColumnError, match="for the image hash"):
        _read({"url": "u", "text": "a cat"}, sha256_column="digest")
