import io
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq

from curate.contract.reasons import IngestReason
from curate.contract.records import Fault
from curate.ingest.files.parquet_rows import read_parquet_rows
from curate.ingest.files.row import Row


def _write(table: pa.Table, **options: int) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


def _read(data: bytes) -> list[Row | Fault]:
    return list(read_parquet_rows(io.BytesIO(data), label="a.parquet"))


def test_rows_are_numbered_across_batches() -> None:
    rows = _read(_write(pa.table({"n": list(range(3000))}), row_group_size=700))
    assert [(row.place.number, row.fields["n"]) for row in rows if isinstance(row, Row)] == [
        (n + 1, n) for n in range(3000)
    ]
    assert _read(_write(pa.table({"n": pa.array([], pa.int64())}))) == []


def test_times_are_text_to_the_nanosecond() -> None:
    table = pa.table(
        {
            "ns": pa.array([1_000_000_001], pa.timestamp("ns")),
            "day": pa.array([datetime(2024, 5, 1, tzinfo=UTC).date()]),
            "for": pa.array([5], pa.duration("s")),
        }
    )
    (row,) = _read(_write(table))
    assert isinstance(row, Row)
    assert row.fields == {"ns": "1970-01-01 00:00:01.000000001", "day": "2024-05-01", "for": 5}


def test_undecodable_text_is_a_fault_of_its_row() -> None:
    text = pa.array([b"one", b"\xff", b"three"], pa.binary()).cast(pa.string(), safe=False)
    first, second, third = _read(_write(pa.table({"text": text})))
    assert isinstance(first, Row)
    assert isinstance(second, Fault)
    assert second.detail == "a.parquet:2: not UTF-8: byte 0xff"
    assert isinstance(third, Row)


def test_truncated_file_is_a_fault() -> None:
    data = _write(pa.table({"n": [1, 2]}))
    (fault,) = _read(data[:-10])
    assert isinstance(fault, Fault)
    assert fault.reason is IngestReason.UNREADABLE_FILE


def test_damaged_row_group_leaves_the_others() -> None:
    table = pa.table({"text": [f"row {i * 7919}" for i in range(3000)]})
    data = bytearray(_write(table, row_group_size=1000))
    middle = pq.read_metadata(io.BytesIO(bytes(data))).row_group(1).column(0).data_page_offset
    data[middle : middle + 200] = b"\xff" * 200
    rows = _read(bytes(data))
    (fault,) = (row for row in rows if isinstance(row, Fault))
    assert fault.detail.startswith("a.parquet:1001: 1000 rows of row group 1 cannot be read")
    assert (fault.ordinal, fault.reason) == ("a.parquet#1001", IngestReason.UNREADABLE_FILE)
    assert [row.place.number for row in rows if isinstance(row, Row)] == [*range(1, 1001), *range(2001, 3001)]


def test_other_bytes_are_a_fault() -> None:
    assert isinstance(_read(b"")[0], Fault)
    assert isinstance(_read(b"url,text\n" * 100)[0], Fault)
