import gzip
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.contract.records import Fault
from curate.ingest.files import cuts
from curate.ingest.files.cuts import FileCut, Span, count_span, cut_rows, open_rows
from curate.ingest.files.dialect import TableOptions
from curate.ingest.files.line_ranges import Counted
from curate.ingest.files.row import Row
from curate.ingest.files.rows import FileLayout, read_rows

PAIRS = FileLayout(default_format="txt", word_columns=("url", "text"))
JSON = FileLayout(default_format="jsonl")
NAMED = FileLayout(default_format="txt", tables=TableOptions(columns=("a", "b")))
LINES = b"".join(b'{"n": %d}\n' % n for n in range(40))


def parquet(num_rows: int, of_group: int) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({"n": list(range(num_rows))}), file, row_group_size=of_group)
    return file.getvalue()


def cut(folder: Path, name: str, data: bytes, layout: FileLayout = JSON, range_bytes: int = 50) -> FileCut | None:
    (folder / name).write_bytes(data)
    return cut_rows(str(folder / name), layout=layout, range_bytes=range_bytes)


@pytest.mark.parametrize(
    ("name", "data", "layout", "kind", "first_line"),
    [
        ("a.jsonl", LINES, JSON, "jsonl", 1),
        ("a.json", b"\n" + LINES, JSON, "jsonl", 1),
        ("a.txt", b"http://h/1 a\n" * 20, PAIRS, "words", 1),
        ("a.tsv", b"url\ttext\n" + b"u\tt\n" * 50, PAIRS, "table", 2),
        (
            "a.tsv",
            b"u\tt\n" * 50,
            FileLayout(default_format="txt", tables=TableOptions(columns=("a", "b"))),
            "table",
            1,
        ),
        ("a.parquet", parquet(60, 10), JSON, "parquet", 1),
    ],
)
def test_what_is_cut(tmp_path: Path, name: str, data: bytes, layout: FileLayout, kind: str, first_line: int) -> None:
    found = cut(tmp_path, name, data, layout)
    assert found is not None
    assert (found.kind, found.first_line) == (kind, first_line)
    assert [span.end for span in found.spans[:-1]] == [span.start for span in found.spans[1:]]
    assert found.spans[-1].end is None
    parts = [count_span(str(tmp_path / name), cut=found, span=span) for span in found.spans if kind != "parquet"]
    counted = parts or list(found.counted)
    rows, number = list[Row | Fault](), found.first_line
    for span, each in zip(found.spans, counted, strict=True):
        path = str(tmp_path / name)
        opened = open_rows(path, label=name, layout=layout, cut=found, span=span, first_line=number)
        with opened as (own, behind):
            own_rows = list(own)
            assert len(own_rows) == each.num_records
            rest = list(behind)
        rows += own_rows
        assert rows + rest == list(read_rows(path, label=name, layout=layout))
        number += each.num_lines


@pytest.mark.parametrize(
    ("name", "data", "layout"),
    [
        ("a.jsonl.gz", gzip.compress(LINES), JSON),
        ("a.jsonl", gzip.compress(LINES), JSON),
        ("a.jsonl", LINES[:40], JSON),
        ("a.jsonl", b"[\n" + LINES + b"]", JSON),
        ("a.jsonl", b"\n [\r\n" + LINES + b"]", JSON),
        ("a.jsonl", b"\xff\n" + LINES, JSON),
        ("a.jsonl", b"\n" * 99, JSON),
        ("a.jsonl", LINES.replace(b"\n", b"\r"), JSON),
        ("a.jsonl", LINES.decode().encode("utf-16"), JSON),
        ("a.json", b'[{"n": 1}, {"n": 2}]' * 20, JSON),
        ("a.csv", b"url,text\n" + b"u,t\n" * 50, PAIRS),
        ("a.tsv", b'"url"\t"text"\n' + b"u\tt\n" * 50, PAIRS),
        ("a.tsv", b"sep=;\nurl;text\n" + b"u;t\n" * 50, PAIRS),
        ("a.tsv", b"\nurl\ttext\n" + b"u\tt\n" * 50, PAIRS),
        ("a.tsv", b"http://h/1\ttext\n" * 50, PAIRS),
        ("a.jsonl", b"WARC/1.0\r\n" + LINES, JSON),
        ("a.parquet", parquet(60, 60), JSON),
        ("a.parquet", parquet(60, 10)[:-9], JSON),
        ("a.parquet", b"PAR1", JSON),
    ],
)
def test_what_is_read_whole(tmp_path: Path, name: str, data: bytes, layout: FileLayout) -> None:
    assert cut(tmp_path, name, data, layout) is None


def test_what_is_not_there_is_not_cut(tmp_path: Path) -> None:
    assert cut_rows(str(tmp_path / "a.jsonl"), layout=JSON, range_bytes=1) is None


def test_row_groups_are_put_together_up_to_the_size_of_a_range(tmp_path: Path) -> None:
    size = pq.read_metadata(io.BytesIO(parquet(60, 10))).row_group(0).total_byte_size
    found = cut(tmp_path, "a.parquet", parquet(60, 10), range_bytes=size + 1)
    assert found is not None
    assert found.spans == (Span(start=0, end=2), Span(start=2, end=4), Span(start=4, end=None))
    assert found.counted == (Counted(num_lines=20, num_records=20),) * 3


def test_a_huge_file_has_larger_ranges_and_not_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuts, "MAX_RANGES", 3)
    for name, data in {"a.jsonl": LINES, "a.parquet": parquet(60, 1)}.items():
        found = cut(tmp_path, name, data, range_bytes=1)
        assert found is not None
        assert len(found.spans) <= 4
