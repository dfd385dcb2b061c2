"""Parquet files are read in the calling thread.

A thread of Arrow's own that still holds a Python file when the interpreter ends takes the whole process down. Neither
``pre_buffer`` nor ``use_threads`` is for files that Python has opened, therefore.
"""

from collections.abc import Sequence
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq


def read_parquet(file: BinaryIO, *, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the rows of an open Parquet file, with the metadata of its schema.

    Args:
        file: Seekable; it stays open.
        columns: To be read; None reads all.

    Raises:
        pyarrow.ArrowInvalid: It is not a Parquet file, or a damaged one.
    """
    return pq.ParquetFile(file, pre_buffer=False).read(columns=columns, use_threads=False)
