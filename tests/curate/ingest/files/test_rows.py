import bz2
import gzip
import io
import lzma
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from curate.contract.reasons import IngestReason
from curate.contract.records import Fault
from curate.ingest.files.dialect import TableOptions
from curate.ingest.files.row import Row
from curate.ingest.files.rows import FileLayout, read_rows

_PAIRS = FileLayout(default_format="txt", word_columns=("url", "text"))
_JSON = FileLayout(default_format="jsonl")


def _zip(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def _read(folder: Path, name: str, data: bytes, layout: FileLayout = _PAIRS) -> list[Row | Fault]:
    (folder / name).write_bytes(data)
    return list(read_rows(str(folder / name), label=name, layout=layout))


def _parquet() -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({"url": ["u"], "text": ["a b"]}), file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.txt", b"u a b\n"),
        ("a.list", b"u a b\n"),
        ("a.csv", b"url,text\nu,a b\n"),
        ("a.TSV", b"url\ttext\nu\ta b\n"),
        ("a.jsonl", b'{"url": "u", "text": "a b"}\n'),
        ("a.json", b'{"url": "u", "text": "a b"}\n'),
        ("a.csv.gz", gzip.compress(b"url,text\nu,a b\n")),
        ("a.jsonl.zip", _zip({"a": b'{"url": "u", "text": "a b"}'})),
        ("a.zip", _zip({"a.csv": b"url,text\nu,a b\n"})),
        ("a.parquet", _parquet()),
        ("a.parquet.gz", gzip.compress(_parquet())),
        ("a.parquet.zst", zstandard.compress(_parquet())),
        ("a.bin", _parquet()),
        ("a.csv", _parquet()),
        ("a.csv.gz", b"url,text\nu,a b\n"),
        ("a.csv", gzip.compress(b"url,text\nu,a b\n")),
        ("a.csv", bz2.compress(lzma.compress(b"url,text\nu,a b\n"))),
        ("a.jsonl.gz", zstandard.compress(b'{"url": "u", "text": "a b"}\n')),
        ("a.data", _zip({"a.jsonl.xz": lzma.compress(b'{"url": "u", "text": "a b"}')})),
        ("a.data", b'\n[{"url": "u", "text": "a b"}]'),
        ("a.txt", b'{"url": "u", "text": "a b"}\n'),
        ("a.json", b'{\n "url": "u",\n "text": "a b"\n}\n'),
        ("a.tsv", "url\ttext\r\nu\ta b\r\n".encode("utf-16")),
        ("a.csv", b"url,text\ru,a b\r"),
        ("a.txt", b"url|text\nu|a b\n"),
        ("a.dat", b'\xef\xbb\xbf"url","text"\r\nu,a b\r\n'),
    ],
)
def test_content_tells_what_the_extension_leaves_open(tmp_path: Path, name: str, data: bytes) -> None:
    (row,) = _read(tmp_path, name, data)
    assert isinstance(row, Row)
    assert row.fields == {"url": "u", "text": "a b"}


def test_txt_is_json_lines_where_words_make_no_sense(tmp_path: Path) -> None:
    (row,) = _read(tmp_path, "a.txt", b'{"n": 1}', _JSON)
    assert isinstance(row, Row)


def test_every_member_of_a_zip_is_read_under_its_own_name(tmp_path: Path) -> None:
    rows = _read(tmp_path, "d.jsonl.zip", _zip({"b.jsonl": b'{"n": 1}\n{', "a.jsonl": b'{"n": 2}'}), _JSON)
    assert [row.ordinal if isinstance(row, Fault) else row.place.ordinal for row in rows] == [
        "d.jsonl.zip/b.jsonl#1",
        "d.jsonl.zip/b.jsonl#2",
        "d.jsonl.zip/a.jsonl#1",
    ]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_of_one_name_are_told_apart(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(3):
            archive.writestr("a.jsonl", f'{{"n": {number}}}')
    rows = _read(tmp_path, "d.zip", file.getvalue(), _JSON)
    assert [(row.place.ordinal, row.fields["n"]) for row in rows if isinstance(row, Row)] == [
        ("d.zip/a.jsonl#1", 0),
        ("d.zip/a.jsonl (2)#1", 1),
        ("d.zip/a.jsonl (3)#1", 2),
    ]


def test_damaged_member_leaves_the_others(tmp_path: Path) -> None:
    lines = b"".join(b'{"n": %d}\n' % (i * 7919 % 104729) for i in range(2000))
    data = bytearray(_zip({"a.jsonl": lines, "b.jsonl": b'{"n": 2}'}))
    data[1000:1100] = bytes(100)
    rows = _read(tmp_path, "d.jsonl.zip", bytes(data), _JSON)
    faults = [row for row in rows if isinstance(row, Fault) and row.reason is IngestReason.UNREADABLE_FILE]
    assert [fault.ordinal for fault in faults] == ["d.jsonl.zip/a.jsonl"]
    last = rows[-1]
    assert isinstance(last, Row)
    assert last.place.label == "d.jsonl.zip/b.jsonl"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.zip", _zip({"a.csv": b"url,text\nu,a\n"})[:-30]),
        ("a.zip", _zip({})),
        ("a.csv.gz", b"not gzip\0"),
        ("a.csv", b"<!DOCTYPE html><html>"),
        ("a.jsonl.zst", zstandard.compress(b'{"n": 1}' * 50)[:15]),
        ("a.csv.gz", gzip.compress(b"url,text\n" * 50)[:12]),
        ("a.parquet", b""),
    ],
)
def test_unreadable_file_is_one_fault(tmp_path: Path, name: str, data: bytes) -> None:
    (fault,) = _read(tmp_path, name, data)
    assert isinstance(fault, Fault)
    assert (fault.reason, fault.ordinal) == (IngestReason.UNREADABLE_FILE, name)


def test_a_recipe_cuts_txt_files(tmp_path: Path) -> None:
    table = FileLayout(default_format="txt", word_columns=("url",), tables=TableOptions(delimiter="|"))
    (row,) = _read(tmp_path, "a.txt", b"url|text\nu|a b\n", table)
    assert isinstance(row, Row)
    assert row.fields == {"url": "u", "text": "a b"}


def test_no_end_of_layers_is_a_fault(tmp_path: Path) -> None:
    data = b"url,text\nu,a\n"
    for _ in range(5):
        data = gzip.compress(data)
    (fault,) = _read(tmp_path, "a.csv.gz", data)
    assert isinstance(fault, Fault)
    assert fault.detail == "a.csv.gz: compressed more than 4 times over"


def test_missing_file_folder_and_unknown_protocol(tmp_path: Path) -> None:
    (missing,) = read_rows(str(tmp_path / "a.csv"), label="a.csv", layout=_PAIRS)
    (folder,) = read_rows(str(tmp_path), label="b", layout=_PAIRS)
    (unknown,) = read_rows("nosuch://a.csv", label="c", layout=_PAIRS)
    assert isinstance(missing, Fault)
    assert missing.reason is IngestReason.MISSING_FILE
    assert isinstance(folder, Fault)
    assert folder.detail == "b: Is a directory"
    assert isinstance(unknown, Fault)
    assert unknown.reason is IngestReason.UNREADABLE_FILE
