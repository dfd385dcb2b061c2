import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.contract.reasons import IngestReason, Kind, Modality
from curate.contract.records import Document, Fault, Item
from curate.ingest.config import ObelicsSource
from curate.ingest.files.faults import ColumnError, Place, RecordError
from curate.ingest.files.row import Row
from curate.ingest.formats.obelics import read_obelics_row
from curate.ingest.readers import read_file

SOURCE = ObelicsSource(name="s", path="a.parquet")


def _read(**fields: Any) -> Document:
    return read_obelics_row(Row(place=Place(label="a", number=1), fields=fields), source=SOURCE)


def test_order_alt_text_and_url() -> None:
    document = _read(
        images=[None, "/i.jpg", "http://o/j.jpg"],
        texts=[" a ", None, None],
        metadata=json.dumps([None, {"alt_text": "alt", "src": "x"}, {"alt_text": ""}]),
        general_metadata=json.dumps({"url": "http://p/q", "warc_record_offset": 3}),
    )
    assert document.items == (
        Item(modality=Modality.TEXT, text=" a "),
        Item(modality=Modality.IMAGE, image_url="http://p/i.jpg", alt_text="alt"),
        Item(modality=Modality.IMAGE, image_url="http://o/j.jpg"),
    )
    assert (document.url, document.native_id, document.kind) == ("http://p/q", "http://p/q", Kind.INTERLEAVED)
    assert document.meta["general_metadata"] == {"warc_record_offset": 3}
    assert document.meta["metadata"][1] == {"alt_text": "alt", "src": "x"}


def test_nested_columns_and_metadata_that_is_not_aligned() -> None:
    document = _read(
        images=["http://o/i.jpg", None],
        texts=[None, "a"],
        metadata=[{"alt_text": "of something else"}],
        general_metadata={"porn_prob": 0.1},
        url="http://p/",
        image_hashes=["aa"],
    )
    assert document.items[0].alt_text is None
    assert document.url == "http://p/"
    assert document.meta == {
        "image_hashes": ["aa"],
        "general_metadata": {"porn_prob": 0.1},
        "metadata": [{"alt_text": "of something else"}],
    }


def test_a_topic_shift_becomes_a_paragraph_break_and_blank_texts_no_item() -> None:
    shift = "END_OF_DOCUMENT_TOKEN_TO_BE_REPLACED"
    document = _read(images=[None, None, None], texts=[f"a{shift}b", "  ", shift])
    assert [item.text for item in document.items] == ["a\n\nb"]
    assert document.url is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"images": ["u"], "texts": ["a"]}, IngestReason.MALFORMED_RECORD),
        ({"images": [None], "texts": [None]}, IngestReason.MALFORMED_RECORD),
        ({"images": [None], "texts": []}, IngestReason.MALFORMED_RECORD),
        ({"images": None, "texts": ["a"]}, IngestReason.MALFORMED_RECORD),
        ({"images": [None], "texts": [3]}, IngestReason.MALFORMED_RECORD),
        ({"images": [None], "texts": ["a"], "metadata": "{"}, IngestReason.MALFORMED_RECORD),
        ({"images": [None], "texts": ["a"], "url": 7}, IngestReason.MALFORMED_RECORD),
        ({"images": [], "texts": []}, IngestReason.EMPTY_DOCUMENT),
        ({"images": [None], "texts": [" "]}, IngestReason.EMPTY_DOCUMENT),
    ],
)
def test_bad_records(fields: dict[str, Any], reason: IngestReason) -> None:
    with pytest.raises(RecordError) as caught:
        _read(**fields)
    assert caught.value.reason is reason


def test_missing_columns() -> None:
    with pytest.raises(ColumnError, match="'texts'"):
        _read(images=[None])


def test_a_parquet_file(tmp_path: Path) -> None:
    table = pa.table({"images": [["http://o/i"], [None, "x"]], "texts": [[None], ["a"]]})
    pq.write_table(table, tmp_path / "a.parquet")
    document, fault = read_file(str(tmp_path / "a.parquet"), source=SOURCE, label="a.parquet")
    assert isinstance(document, Document)
    assert isinstance(fault, Fault)
    assert fault.detail == "a.parquet:2: 2 images, but 1 texts; both must have an entry per item"


def test_rows_of_mint1t_and_omnicorpus() -> None:
    texts, images = ["a", None, "b"], [None, "http://o/i.jpg", None]
    mint = _read(
        url="http://p/", cc_dump="CC-MAIN-2023-40", texts=texts, images=images, image_hashes=["aa"], metadata=None
    )
    omni = _read(texts=texts, images=images, general_metadata={"url": "http://p/", "fluency_prob": 0.9})
    for document in (mint, omni):
        assert [item.image_url or item.text for item in document.items] == ["a", "http://o/i.jpg", "b"]
        assert document.url == "http://p/"
    assert mint.meta["cc_dump"] == "CC-MAIN-2023-40"
    assert omni.meta["general_metadata"] == {"fluency_prob": 0.9}
