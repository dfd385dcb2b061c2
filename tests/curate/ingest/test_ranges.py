import base64
import json
from pathlib import Path
from typing import Any

import pytest

from curate.ingest.config import (
    FolderSource,
    InstructionsSource,
    Mmc4Source,
    PagesSource,
    PairsSource,
    Source,
    WarcSource,
    WebdatasetSource,
)
from curate.ingest.files.cuts import FileCut
from curate.ingest.ranges import cut_file, open_range
from curate.ingest.readers import read_file

PAIRS = PairsSource(name="s", path="a")
PICTURE = base64.b64encode(b"\xff\xd8\xff" + b"0" * 60).decode()
ROW = {"url": "http://h/1.jpg", "text": "a cat"}


def cut(folder: Path, rows: list[Any], source: Source = PAIRS) -> FileCut | None:
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return cut_file(str(folder / "a.jsonl"), source=source, label="a.jsonl", range_bytes=100)


def test_the_documents_of_a_range_and_those_behind_it(tmp_path: Path) -> None:
    found = cut(tmp_path, [{**ROW, "n": n} for n in range(20)])
    assert found is not None
    path, second = str(tmp_path / "a.jsonl"), found.spans[1]
    whole = list(read_file(path, source=PAIRS, label="a.jsonl"))
    with open_range(path, source=PAIRS, label="a.jsonl", cut=found, span=second, first_line=3) as (own, behind):
        made = [*own, *behind]
    assert made == whole[2:]


def test_faults_do_not_keep_a_file_from_being_cut(tmp_path: Path) -> None:
    assert cut(tmp_path, [ROW, {"url": ""}, [], ROW, ROW, ROW, ROW]) is not None
    assert cut(tmp_path, [{"text": "no URL"}] * 20) is not None


@pytest.mark.parametrize("row", [{**ROW, "text": ["a", "b"]}, {"image": PICTURE, "text": "a cat"}])
def test_rows_that_are_no_document_each_or_hold_images_are_read_in_order(tmp_path: Path, row: dict[str, Any]) -> None:
    assert cut(tmp_path, [ROW] * 9 + [row]) is None
    assert cut(tmp_path, [ROW] * 200 + [row]) is not None, "only the first rows are looked at"


@pytest.mark.parametrize(
    "source",
    [
        WarcSource(name="s", path="a"),
        WebdatasetSource(name="s", path="a"),
        FolderSource(name="s", path="a"),
        PairsSource(name="s", path="a", image_root="pictures"),
        PagesSource(name="s", path="a", same_page="url"),
    ],
)
def test_what_is_in_front_or_comes_along_tells_how_it_is_cut(tmp_path: Path, source: Source) -> None:
    assert cut(tmp_path, [ROW] * 20, source) is None


def test_rows_that_share_a_line_are_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text((json.dumps(ROW) * 2 + "\n") * 20, encoding="utf-8")
    assert cut_file(str(tmp_path / "a.jsonl"), source=PAIRS, label="a.jsonl", range_bytes=100) is None


@pytest.mark.parametrize(
    "source", [PagesSource(name="s", path="a"), Mmc4Source(name="s", path="a"), InstructionsSource(name="s", path="a")]
)
def test_records_of_other_sources_are(tmp_path: Path, source: Source) -> None:
    assert cut(tmp_path, [ROW] * 20, source) is not None
