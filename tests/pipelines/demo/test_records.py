import json
from pathlib import Path

import pyarrow.parquet as pq

from curate.contract.reasons import Kind
from pipelines.demo.documents import ImageRole, WorldDocument, WorldImage, WorldSource
from pipelines.demo.records import mmc4_line, write_lines, write_pairs


def document(source: WorldSource) -> WorldDocument:
    scene = WorldImage(url="http://h/a.jpg", role=ImageRole.SCENE, sentence="A star.")
    logo = WorldImage(url="http://h/logo.png", role=ImageRole.LOGO)
    return WorldDocument(
        source=source,
        kind=Kind.INTERLEAVED,
        url="http://h/p.html",
        lang="en",
        blocks=("First.", scene, "A star.", logo),
        meta={"number": 4, "num_letters": 5},
    )


def test_an_mmc4_record_has_the_fields_of_the_corpus() -> None:
    record = json.loads(mmc4_line(document(WorldSource.MMC4)))
    assert record["text_list"] == ["First.", "A star."]
    assert [info["raw_url"] for info in record["image_info"]] == ["http://h/a.jpg", "http://h/logo.png"]
    assert record["image_info"][0]["matched_text_index"] == 1
    assert record["image_info"][0]["image_name"] == "a.jpg"
    assert [len(row) for row in record["similarity_matrix"]] == [2, 2]
    assert record["could_have_url_duplicate"] == 0


def test_pairs_carry_their_other_columns(tmp_path: Path) -> None:
    path = tmp_path / "pairs.parquet"
    write_pairs(path, [document(WorldSource.PAIRS)])
    rows = pq.read_table(path).to_pylist()
    assert rows == [{"url": "http://h/a.jpg", "text": "First.", "number": 4, "num_letters": 5}]


def test_no_pairs_is_a_readable_file(tmp_path: Path) -> None:
    write_pairs(tmp_path / "pairs.parquet", [])
    assert pq.read_table(tmp_path / "pairs.parquet").num_rows == 0


def test_lines_are_utf8(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.txt", ["円", "é"])
    assert (tmp_path / "a.txt").read_bytes() == "円\né\n".encode()
