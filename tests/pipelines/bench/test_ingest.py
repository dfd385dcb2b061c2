import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curate.ingest.html.page import read_page
from pipelines.bench import ingest
from pipelines.bench.ingest import bench_ingest, write_files, write_pages


def test_files_hold_the_same_pairs_in_every_format(tmp_path: Path) -> None:
    write_files(tmp_path, num_rows=20)
    rows = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text().splitlines()]
    assert pq.read_table(tmp_path / "pairs.parquet").to_pylist() == rows
    lines = (tmp_path / "pairs.tsv").read_text().splitlines()
    assert lines[1:] == [f"{row['url']}\t{row['text']}" for row in rows]
    assert len((tmp_path / "chat.jsonl").read_text().splitlines()) == 20
    assert len(json.loads((tmp_path / "mmc4.jsonl").read_text().splitlines()[0])["text_list"]) == 8


def test_pages_hold_an_article_among_teasers(tmp_path: Path) -> None:
    write_pages(tmp_path / "pages", num_pages=2)
    page = read_page((tmp_path / "pages" / "000.html").read_bytes(), url="http://h/", charset="utf-8")
    assert all("/t" not in (item.image_url or "") for item in page.items)
    assert sum(item.image_url is not None for item in page.items) >= 5


def test_every_kind_is_measured_beside_bare_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "NUM_ROWS", 16)
    monkeypatch.setattr(ingest, "NUM_PAGES", 1)
    monkeypatch.setattr(ingest, "MIN_SECONDS", 0.0)
    monkeypatch.setattr(ingest, "peer_python", lambda *_: None)
    rows = bench_ingest()
    assert [row["case"] for row in rows] == [
        "pairs jsonl",
        "pairs tsv",
        "pairs parquet",
        "mmc4 jsonl",
        "instructions jsonl",
        "pages",
        "pages",
        "pages",
    ]
    assert all(row["ours"] > 0 for row in rows)
    assert [row["peer_value"] for row in rows[-2:]] == [None, None]
