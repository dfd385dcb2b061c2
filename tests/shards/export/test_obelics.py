import json
from pathlib import Path

import pyarrow.parquet as pq

from curate.ingest.config import ObelicsSource
from curate.ingest.readers import read_file
from shards.export.formats import export_shards
from shards.export.mmc4 import NO_URL
from shards.export.names import ExportFormat
from shards.export.obelics import obelics_row
from shards.export.tally import Tally
from tests.shards.export.conftest import DOCUMENTS, make_document, store
from tests.shards.export.same import as_read, as_written


def test_exactly_one_of_image_and_text_is_set_at_each_place(varied_set: str, tmp_path: Path) -> None:
    export_shards(varied_set, format_name=ExportFormat.OBELICS, out=str(tmp_path / "out"))
    rows = [row for path in sorted((tmp_path / "out").glob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    assert len(rows) == len(DOCUMENTS) - 1
    for row in rows:
        metadata = json.loads(row["metadata"])
        assert len(row["images"]) == len(row["texts"]) == len(metadata)
        for image, text, entry in zip(row["images"], row["texts"], metadata, strict=True):
            assert (image is None) != (text is None)
            assert (entry is None) == (image is None)


def test_metadata_says_what_is_known() -> None:
    row = obelics_row(store(make_document(4, "tiit")).record, tally=Tally())
    assert row is not None
    first, second = json.loads(row["metadata"])[1:3]
    assert first["src"] == first["unformatted_src"] == "http://h/4/0.jpg"
    assert (first["document_url"], first["original_width"], first["stored_width"]) == ("http://h/4", None, 12)
    assert "alt_text" not in first
    assert second["alt_text"] == "alt 1"
    assert json.loads(row["general_metadata"])["url"] == "http://h/4"


def test_read_again_it_gives_the_same_documents(varied_set: str, tmp_path: Path) -> None:
    tally = export_shards(varied_set, format_name=ExportFormat.OBELICS, out=str(tmp_path / "out"))
    source = ObelicsSource(name="again", path="*.parquet")
    paths = sorted((tmp_path / "out").glob("*.parquet"))
    again = [document for path in paths for document in read_file(str(path), source=source, label=path.name)]
    assert [as_read(one) for one in again] == [as_written(one) for one in DOCUMENTS if as_written(one)[1]]
    assert tally.documents_left_out == {NO_URL: 1}
    assert tally.images_left_out == {NO_URL: 3}
