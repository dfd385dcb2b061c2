import io
import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.contract.parquet import read_parquet

TABLE = pa.table({"a": range(1000), "b": ["x"] * 1000, "c": [[1.5]] * 1000}).replace_schema_metadata({"who": "me"})


class Watched(io.BytesIO):
    """Notes which threads read it."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.threads: set[int] = set()

    def read(self, size: int | None = -1) -> bytes:
        self.threads.add(threading.get_ident())
        return super().read(size)


def stored() -> Watched:
    buffer = io.BytesIO()
    pq.write_table(TABLE, buffer, row_group_size=100)
    return Watched(buffer.getvalue())


def test_what_was_written_is_read_by_the_calling_thread_alone() -> None:
    file = stored()
    table = read_parquet(file)
    assert table.equals(TABLE)
    assert table.schema.metadata == {b"who": b"me"}
    assert file.threads == {threading.get_ident()}
    assert not file.closed


def test_columns_come_in_the_order_asked_for() -> None:
    assert read_parquet(stored(), columns=["c", "a"]).column_names == ["c", "a"]


def test_what_is_no_parquet_file_is_an_error() -> None:
    with pytest.raises(pa.ArrowInvalid):
        read_parquet(io.BytesIO(b"PAR1 and nothing more PAR1"))
