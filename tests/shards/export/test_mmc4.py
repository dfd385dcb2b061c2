import json
from pathlib import Path

import pytest

from curate.contract.records import Document
from curate.ingest.config import Mmc4Source
from curate.ingest.readers import read_file
from shards.export.formats import export_shards
from shards.export.mmc4 import NO_URL, ROLES, UNMATCHED, mmc4_record
from shards.export.names import ExportFormat
from shards.export.tally import Tally
from tests.shards.export.conftest import DOCUMENTS, make_document, store
from tests.shards.export.same import as_read, as_written


def test_a_record_has_the_fields_of_mmc4() -> None:
    matrix = [[0.1, 0.4], [0.3, 0.1]]
    record = mmc4_record(store(make_document(4, "titi", matrix=matrix)).record, tally=Tally())
    assert record is not None
    assert record["text_list"] == ["text 0 of 4 é", "text 1 of 4 é"]
    assert record["similarity_matrix"] == matrix
    assert [(one["matched_text_index"], one["matched_sim"]) for one in record["image_info"]] == [(1, 0.4), (0, 0.3)]
    assert [one["raw_url"] for one in record["image_info"]] == ["http://h/4/0.jpg", "http://h/4/1.jpg"]
    assert [one["natural_text_index"] for one in record["image_info"]] == [1, 2]
    assert record["image_info"][0]["face_detections"] is None
    assert record["image_info"][1]["alt_text"] == "alt 1"
    assert (record["url"], record["could_have_url_duplicate"], record["meta"]) == ("http://h/4", 0, {"id": 4})


def test_without_scores_the_text_that_follows_is_the_match() -> None:
    tally = Tally()
    record = mmc4_record(store(make_document(4, "titi", is_scored=False)).record, tally=tally)
    assert record is not None
    assert [one["matched_text_index"] for one in record["image_info"]] == [1, 1]
    assert [one["matched_sim"] for one in record["image_info"]] == [None, None]
    assert record["similarity_matrix"] == [None, None]
    assert tally.changes == {UNMATCHED: 2}


@pytest.mark.parametrize(("layout", "is_written"), [("ii", False), ("iti", True)])
def test_an_image_without_url_is_left_out_and_counted(layout: str, is_written: bool) -> None:  # noqa: FBT001 - a case
    tally = Tally()
    record = mmc4_record(store(make_document(4, layout, has_urls=False)).record, tally=tally)
    assert (record is not None) is is_written
    assert tally.images_left_out == {NO_URL: 2}
    assert tally.documents_left_out == ({} if is_written else {NO_URL: 1})


def test_read_again_it_gives_the_same_documents(varied_set: str, tmp_path: Path) -> None:
    tally = export_shards(varied_set, format_name=ExportFormat.MMC4, out=str(tmp_path / "out"))
    source = Mmc4Source(name="again", path="*.jsonl")
    again = [
        document
        for path in sorted((tmp_path / "out").glob("*.jsonl"))
        for document in read_file(str(path), source=source, label=path.name)
    ]
    assert all(isinstance(document, Document) for document in again)
    assert [as_read(one) for one in again] == [as_written(one) for one in DOCUMENTS if as_written(one)[1]]
    assert tally.documents_left_out == {NO_URL: 1}
    assert tally.changes[ROLES] == 6
    assert json.loads((tmp_path / "out/export.json").read_text())["documents"]["written"] == len(again)
