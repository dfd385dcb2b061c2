import time
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.run.folder import write_table
from pipelines.run.many_files import in_threads, read_stamps

SCHEMA = pa.schema([pa.field("n", pa.int64())])


def test_results_come_in_the_order_of_names() -> None:
    def call(number: int) -> int:
        time.sleep(0.02 if number % 3 == 0 else 0)
        return number * 2

    assert in_threads(call, range(40)) == [2 * number for number in range(40)]
    assert in_threads(call, []) == []


def test_a_fault_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda number: 1 // number, [1, 0, 2])


def test_stamps_of_files_that_are_there_and_not(tmp_path: Path) -> None:
    path = str(tmp_path / "a.parquet")
    stamp = write_table(path, pa.table({"n": [1]}, schema=SCHEMA), schema=SCHEMA, made_from="x")
    assert read_stamps([path, str(tmp_path / "b.parquet"), path]) == [stamp, None, stamp]
