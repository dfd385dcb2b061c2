import pytest

from curate.contract.reasons import Kind
from curate.contract.records import Document
from curate.ingest.config import PagesSource
from curate.ingest.files.faults import ColumnError, Place, RecordError
from curate.ingest.files.row import Row
from curate.ingest.formats.pages import read_page_row


def _read(fields: dict[str, object], column: str | None = None) -> Document:
    row = Row(place=Place(label="a.csv", number=2), fields=fields)
    return read_page_row(row, source=PagesSource(name="s", path="a.csv", url_column=column))


def test_document_has_a_url_and_no_items_yet() -> None:
    document = _read({"URL": " http://a/ ", "topic": "cats"})
    assert document == Document(
        native_id="http://a/", ordinal="a.csv#2", kind=Kind.INTERLEAVED, url="http://a/", meta={"topic": "cats"}
    )


def test_named_column() -> None:
    assert _read({"link": "http://a/", "url": "http://b/"}, "link").url == "http://a/"
    with pytest.raises(ColumnError):
        _read({"url": "http://b/"}, "link")


@pytest.mark.parametrize("value", [None, "", "  ", 7, ["http://a/"]])
def test_no_url(value: object) -> None:
    with pytest.raises(RecordError):
        _read({"url": value})


def test_urls_that_cannot_be_fetched_are_left_to_fetching() -> None:
    assert _read({"url": "gopher://a"}).url == "gopher://a"
