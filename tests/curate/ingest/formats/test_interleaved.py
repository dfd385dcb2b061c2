from typing import Any

import pytest

from curate.contract.reasons import IngestReason, Kind
from curate.contract.records import Document
from curate.ingest.config import InterleavedSource
from curate.ingest.files.faults import Place, RecordError
from curate.ingest.files.row import Row
from curate.ingest.formats.interleaved import read_interleaved_row


def _read(fields: dict[str, Any], **options: str) -> Document:
    source = InterleavedSource.model_validate({"name": "s", "path": "a"} | options)
    return read_interleaved_row(Row(place=Place(label="a", number=1), fields=fields), source=source)


def _items(document: Document) -> list[str | None]:
    return [item.image_url or item.text for item in document.items]


def test_lists_of_one_length() -> None:
    document = _read({"texts": ["a", None, "b", ""], "images": [None, "http://u", "", "http://v"], "n": 1})
    assert _items(document) == ["a", "http://u/", "b", "http://v/"]
    assert (document.kind, document.meta, document.url) == (Kind.INTERLEAVED, {"n": 1}, None)


@pytest.mark.parametrize(
    "texts", [["<image>", "a", "<image>b"], "<image>a<image>b", '["<image>a", "<image>b"]', [None, "<image>a<image>b"]]
)
def test_placeholders(texts: object) -> None:
    assert _items(_read({"texts": texts, "images": ["u", {"url": "v"}]})) == ["u", "a", "v", "b"]


def test_columns_of_any_name_and_addresses_by_the_page() -> None:
    fields = {"page": {"url": "http://p/q", "n": 1}, "Lines": ["[I]", "a"], "pics": '["/i.jpg"]'}
    names = {"texts_column": "lines", "images_column": "pics", "url_column": "page.url", "placeholder": "[I]"}
    document = _read(fields, **names)
    assert (_items(document), document.url, document.native_id) == (["http://p/i.jpg", "a"], "http://p/q", "http://p/q")
    assert document.meta == {"page": {"n": 1}}


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"texts": ["a"], "images": ["u"]}, r"images\[0\] and texts\[0\] are both set"),
        ({"texts": ["a"], "images": []}, "0 images, but 1 texts"),
        ({"texts": ["<image>"], "images": []}, "0 images, but 1 times <image>"),
        ({"texts": ["a<image>"], "images": [" "]}, "images is empty"),
        ({"texts": [3], "images": [None]}, r"texts\[0\] must be a string"),
        ({"texts": ["a"], "images": "x"}, "images is neither a list nor JSON"),
        ({"texts": ["a"]}, "no column 'images'"),
    ],
)
def test_lists_that_do_not_fit(fields: dict[str, Any], what: str) -> None:
    with pytest.raises(RecordError, match=what):
        _read(fields)


def test_nothing_at_all() -> None:
    with pytest.raises(RecordError) as caught:
        _read({"texts": [" "], "images": [None]})
    assert caught.value.reason is IngestReason.EMPTY_DOCUMENT
