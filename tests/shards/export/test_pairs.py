import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from curate.contract.records import Document
from curate.ingest.config import PairsSource
from curate.ingest.readers import read_file
from shards.export.formats import export_shards
from shards.export.names import ExportFormat
from shards.export.pairs import CAPTION_BREAKS, NO_CAPTION, TEXT_ONLY, UNUSED_TEXTS, pair_rows
from shards.export.tally import Tally
from shards.sample import sample_images
from tests.shards.export.conftest import DOCUMENTS, make_document, read_with_webdataset, store


def _captions(layout: str, tally: Tally, *, is_scored: bool = True) -> list[tuple[int, str]]:
    sample = store(make_document(4, layout, is_scored=is_scored))
    return [(number, row["caption"]) for number, row in pair_rows(sample, tally=tally)]


def test_a_document_of_one_image_takes_all_its_text() -> None:
    tally = Tally()
    assert _captions("it", tally) == [(0, "text 0 of 4 é")]
    assert not tally.changes
    assert _captions("tit", tally) == [(0, "text 0 of 4 é\ntext 1 of 4 é")]
    assert tally.changes == {CAPTION_BREAKS: 1}


def test_images_of_a_longer_document_take_their_matched_text() -> None:
    tally = Tally()
    sample = make_document(4, "titit", matrix=[[0.1, 0.4, 0.2], [0.3, 0.1, 0.2]])
    assert [(number, row["caption"]) for number, row in pair_rows(store(sample), tally=tally)] == [
        (0, "text 1 of 4 é"),
        (1, "text 0 of 4 é"),
    ]
    assert tally.changes == {UNUSED_TEXTS: 1}


def test_without_a_match_the_alt_text_is_the_caption() -> None:
    tally = Tally()
    assert _captions("tiit", tally, is_scored=False) == [(1, "alt 1")]
    assert tally.images_left_out == {NO_CAPTION: 1}
    assert tally.changes == {UNUSED_TEXTS: 2}


@pytest.mark.parametrize(("layout", "reason"), [("tt", TEXT_ONLY), ("i", NO_CAPTION)])
def test_what_makes_no_pair_is_counted(layout: str, reason: str) -> None:
    tally = Tally()
    assert _captions(layout, tally) == []
    assert tally.documents_left_out == {reason: 1}


def test_webdataset_reads_the_parts_that_open_clip_takes(varied_set: str, tmp_path: Path) -> None:
    tally = export_shards(varied_set, format_name=ExportFormat.PAIRS, out=str(tmp_path / "out"))
    pairs = [(one["jpg"], one["txt"], one["json"]) for one in read_with_webdataset(tmp_path / "out")]
    assert len(pairs) == tally.num_records == tally.num_images_written
    assert {data for data, _, _ in pairs} <= {data for sample in DOCUMENTS for data in sample_images(sample)}
    for data, text, entry in pairs:
        with Image.open(io.BytesIO(data)) as image:
            assert image.size == (json.loads(entry)["width"], json.loads(entry)["height"])
        assert text.decode() == json.loads(entry)["caption"]


def test_the_tables_name_every_pair_and_make_the_same_pairs_again(varied_set: str, tmp_path: Path) -> None:
    export_shards(varied_set, format_name=ExportFormat.PAIRS, out=str(tmp_path / "out"))
    tables = sorted((tmp_path / "out").glob("*.parquet"))
    rows = [row for path in tables for row in pq.read_table(path).to_pylist()]
    assert [row["key"] for row in rows] == [one["__key__"] for one in read_with_webdataset(tmp_path / "out")]
    source = PairsSource(name="again", path="*.parquet")
    again = [one for path in tables for one in read_file(str(path), source=source, label=path.name)]
    pair = next(one for one in again if isinstance(one, Document) and one.meta["doc_id"] == DOCUMENTS[3].doc_id)
    assert [item.image_url or item.text for item in pair.items] == ["http://h/3/0.jpg", "text 0 of 3 é"]
    assert [isinstance(one, Document) for one in again] == [row["url"] is not None for row in rows]
    assert all(item.expected_sha256 is None for one in again if isinstance(one, Document) for item in one.items)
