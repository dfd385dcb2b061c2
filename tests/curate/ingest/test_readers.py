import gzip
import json
import zipfile
from pathlib import Path

import fsspec
import pytest

from curate.contract.reasons import IngestReason, Kind
from curate.contract.records import Document, Fault
from curate.ingest.config import TEXT_COLUMNS, InstructionsSource, Mmc4Source, PagesSource, PairsSource, Source
from curate.ingest.readers import expand_paths, read_file


def _pages(path: str) -> PagesSource:
    return PagesSource(name="s", path=path)


def _read(folder: Path, source: Source, data: bytes) -> list[Document | Fault]:
    path = folder / source.path
    path.write_bytes(data)
    return list(read_file(str(path), source=source, label=source.path))


def test_plain_path_is_returned_even_if_missing(tmp_path: Path) -> None:
    assert expand_paths(_pages("none.txt"), base=str(tmp_path)) == [str(tmp_path / "none.txt")]
    assert expand_paths(_pages("/data/a.txt"), base=str(tmp_path)) == ["/data/a.txt"]
    assert expand_paths(_pages("s3://b/a.txt"), base=str(tmp_path)) == ["s3://b/a.txt"]
    assert expand_paths(_pages("a.txt"), base="s3://bucket/recipes/") == ["s3://bucket/recipes/a.txt"]


def test_glob_is_sorted_and_skips_folders_and_hidden_files(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", ".c.txt", "deep/d.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "e.txt").mkdir()
    assert expand_paths(_pages("*.txt"), base=str(tmp_path)) == [str(tmp_path / "a.txt"), str(tmp_path / "b.txt")]
    assert expand_paths(_pages(f"{tmp_path}/**/d.*"), base="/") == [str(tmp_path / "deep/d.txt")]


def test_glob_characters_of_existing_names_are_taken_as_they_are(tmp_path: Path) -> None:
    base = tmp_path / "[x]"
    base.mkdir()
    for name in ("a[1].txt", "a1.txt"):
        (base / name).touch()
    assert expand_paths(_pages("a[1].txt"), base=str(base)) == [str(base / "a[1].txt")]
    assert expand_paths(_pages("a?.txt"), base=str(base)) == [str(base / "a1.txt")]


def test_glob_that_matches_nothing_becomes_a_missing_file(tmp_path: Path) -> None:
    source = _pages("*.nothing")
    (path,) = expand_paths(source, base=str(tmp_path))
    (fault,) = read_file(path, source=source, label="*.nothing")
    assert isinstance(fault, Fault)
    assert (fault.reason, fault.ordinal) == (IngestReason.MISSING_FILE, "*.nothing")


def test_remote_glob() -> None:
    for name in ("b.txt", "a.txt"):
        with fsspec.open(f"memory://readers/{name}", "wb") as stream:
            stream.write(b"http://a/\n")
    source = _pages("memory://readers/*.txt")
    paths = expand_paths(source, base="/")
    assert paths == ["memory:///readers/a.txt", "memory:///readers/b.txt"]
    assert len(list(read_file(paths[0], source=source, label="a.txt"))) == 1
    assert expand_paths(_pages("nosuch://x/*.txt"), base="/") == ["nosuch://x/*.txt"]


def test_pages(tmp_path: Path) -> None:
    first, second = _read(tmp_path, _pages("a.txt"), b"# pages\nhttp://a/\n\nhttp://a/\n")
    assert isinstance(first, Document)
    assert isinstance(second, Document)
    assert (first.ordinal, second.ordinal) == ("a.txt#2", "a.txt#4")
    assert first.kind is Kind.INTERLEAVED


def test_mmc4_zip_of_two_members(tmp_path: Path) -> None:
    source = Mmc4Source(name="s", path="d.jsonl.zip")
    with zipfile.ZipFile(tmp_path / source.path, "w") as archive:
        for name in ("d1.jsonl", "d2.jsonl"):
            archive.writestr(name, json.dumps({"url": "http://p/", "text_list": ["a"], "image_info": []}))
    records = list(read_file(str(tmp_path / source.path), source=source, label=source.path))
    assert [record.ordinal for record in records] == ["d.jsonl.zip/d1.jsonl#1", "d.jsonl.zip/d2.jsonl#1"]


def test_pairs_go_on_after_bad_rows(tmp_path: Path) -> None:
    lines = (
        b'{"url": "u", "text": "a"}',
        b"[1]",
        b'{"url": "u", "text": 3}',
        b'{"url": "u", "title": "a"}',
        b'{"url": "v", "text": "b"}',
    )
    records = _read(tmp_path, PairsSource(name="s", path="a.jsonl"), b"\n".join(lines))
    assert [isinstance(record, Document) for record in records] == [True, False, False, False, True]
    assert [record.detail for record in records if isinstance(record, Fault)] == [
        "a.jsonl:2: expected a JSON object, got a list",
        "a.jsonl:3: text must be a string, not a number",
        f"a.jsonl:4: no column {' or '.join(map(repr, TEXT_COLUMNS))} for the text; columns: title, url",
    ]


def test_wrong_column_of_a_table_is_one_fault(tmp_path: Path) -> None:
    source = PairsSource(name="s", path="a.csv", url_column="img")
    (fault,) = _read(tmp_path, source, b"url,text\nu,a\nv,b\n")
    assert isinstance(fault, Fault)
    assert fault.reason is IngestReason.UNREADABLE_FILE
    assert fault.detail == "a.csv: no column 'img' for the image URL; columns: text, url"


def test_txt_pairs_may_rename_their_columns(tmp_path: Path) -> None:
    source = PairsSource(name="s", path="a.txt", url_column="img", text_column="long")
    (document,) = _read(tmp_path, source, b"http://i/ a red cat\n")
    assert isinstance(document, Document)
    assert document.items[1].text == "a red cat"


def test_instructions_gz(tmp_path: Path) -> None:
    source = InstructionsSource(name="s", path="a.jsonl.gz")
    line = json.dumps({"instruction": "q", "output": "a"}).encode()
    (document,) = _read(tmp_path, source, gzip.compress(line))
    assert isinstance(document, Document)
    assert document.kind is Kind.TEXT


@pytest.mark.parametrize(
    "source",
    [
        PagesSource(name="s", path="pages.txt"),
        Mmc4Source(name="s", path="lessons_mmc4.jsonl"),
        PairsSource(name="s", path="pairs.parquet"),
        InstructionsSource(name="s", path="instructions.jsonl"),
    ],
)
def test_real_lists_are_read_without_faults(source: Source) -> None:
    folder = Path(__file__).parents[4] / "shared" / "real"
    if not folder.is_dir():
        pytest.skip("the real web is not here")
    (file,) = expand_paths(source, base=str(folder))
    records = list(read_file(file, source=source, label=source.path))
    assert len(records) > 100
    assert all(isinstance(record, Document) for record in records)
