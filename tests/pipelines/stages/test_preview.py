import json
from pathlib import Path

import pytest

from curate.ingest.config import PagesSource, PairsSource
from pipelines.stages.ingest import InputFile
from pipelines.stages.preview import preview_file


@pytest.fixture
def pairs(tmp_path: Path) -> InputFile:
    path = tmp_path / "pairs.jsonl"
    rows = [{"url": f"http://{host}.example/{n}.jpg", "text": "a"} for n, host in enumerate("aab")]
    path.write_text("\n".join([*map(json.dumps, rows), "{broken"]), encoding="utf-8")
    return InputFile(source=PairsSource(name="p", path=str(path)), path=str(path), label="pairs.jsonl", number=0)


def test_documents_images_hosts_and_faults_are_counted(pairs: InputFile) -> None:
    seen = preview_file(pairs)
    assert (seen.num_documents, seen.num_images, seen.is_whole) == (3, 3, True)
    assert seen.hosts == {"a.example": 2, "b.example": 1}
    assert [fault.partition(": ")[0] for fault in seen.faults] == ["pairs.jsonl:4"]


def test_a_large_file_is_not_read_to_its_end(pairs: InputFile) -> None:
    assert [preview_file(pairs, max_records=limit).is_whole for limit in (3, 4)] == [False, True]


def test_pages_ask_the_hosts_of_the_pages(tmp_path: Path) -> None:
    path = tmp_path / "pages.txt"
    path.write_text("http://c.example/1\nhttp://[broken/2\n", encoding="utf-8")
    source = PagesSource(name="p", path=str(path))
    assert preview_file(InputFile(source=source, path=str(path), label="pages.txt", number=0)).hosts == {"c.example": 1}
