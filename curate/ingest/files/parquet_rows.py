"""Rows of parquet files, by record batches."""

from collections.abc import Iterator
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from curate.contract.reasons import IngestReason
from curate.contract.records import Fault
from curate.ingest.files.faults import READ_ERRORS, Place, describe_error, file_fault, record_fault
from curate.ingest.files.row import Row

_BATCH_NUM_ROWS, _BATCH_BYTES = 1024, 32 << 20  # rows with pictures in them are read few at a time
_BUFFER_BYTES = 1 << 20  # read column chunks through a window instead of whole


def read_parquet_rows(
    stream: IO[bytes], *, label: str, first_group: int = 0, end_group: int | None = None
) -> Iterator[Row | Fault]:
    """Yield the rows of a parquet file, numbered from 1.

    Dates and times are given as Arrow prints them, so that a nanosecond stamp does not depend on pandas.

    Args:
        stream: The file.
        label: Names it.
        first_group: The row group to begin with.
        end_group: The row group to end before; None: the file's end.

    Yields:
        Rows; a row with undecodable text is a fault, and so is the unreadable rest of a damaged row group.
    """
    try:
        file = pq.ParquetFile(stream, buffer_size=_BUFFER_BYTES, pre_buffer=False)
    except READ_ERRORS as error:
        yield file_fault(label, describe_error(error))
        return
    num_before = 0
    for group in range(file.num_row_groups if end_group is None else end_group):
        if group >= first_group:
            yield from _read_group(file, group, label=label, num_before=num_before)
        num_before += file.metadata.row_group(group).num_rows


def row_group_sizes(stream: IO[bytes]) -> list[tuple[int, int]]:
    """Return rows and bytes, not compressed, of each row group of a parquet file.

    Raises:
        READ_ERRORS: It is none.
    """
    meta = pq.read_metadata(stream)
    groups = map(meta.row_group, range(meta.num_row_groups))
    return [(int(group.num_rows), int(group.total_byte_size)) for group in groups]


def _read_group(file: pq.ParquetFile, group: int, *, label: str, num_before: int) -> Iterator[Row | Fault]:
    number = num_before
    try:
        for batch in file.iter_batches(_batch_num_rows(file, group), row_groups=[group], use_threads=False):
            yield from _read_batch(batch, label=label, num_before=number)
            number += batch.num_rows
    except READ_ERRORS as error:
        num_lost = num_before + file.metadata.row_group(group).num_rows - number
        what = f"{num_lost} rows of row group {group} cannot be read: {describe_error(error)}"
        yield record_fault(Place(label=label, number=number + 1), what, IngestReason.UNREADABLE_FILE)


def _batch_num_rows(file: pq.ParquetFile, group: int) -> int:
    meta = file.metadata.row_group(group)
    of_bytes = _BATCH_BYTES * int(meta.num_rows) // max(1, int(meta.total_byte_size))
    return max(1, min(_BATCH_NUM_ROWS, of_bytes))


def _read_batch(batch: pa.RecordBatch, *, label: str, num_before: int) -> Iterator[Row | Fault]:
    batch = _print_times(batch)
    places = [Place(label=label, number=num_before + i + 1) for i in range(batch.num_rows)]
    try:
        rows = batch.to_pylist()
    except ValueError:  # one row's text is not UTF-8: find it
        for i, place in enumerate(places):
            yield _read_row(batch.slice(i, 1), place)
        return
    for place, fields in zip(places, rows, strict=True):
        yield Row(place=place, fields=fields, has_fixed_columns=True)


def _read_row(batch: pa.RecordBatch, place: Place) -> Row | Fault:
    try:
        return Row(place=place, fields=batch.to_pylist()[0], has_fixed_columns=True)
    except UnicodeDecodeError as error:
        return record_fault(place, f"not UTF-8: byte 0x{error.object[error.start]:02x}")
    except ValueError as error:
        return record_fault(place, describe_error(error))


def _print_times(batch: pa.RecordBatch) -> pa.RecordBatch:
    for i, field in enumerate(batch.schema):
        if pa.types.is_temporal(field.type):
            target = pa.int64() if pa.types.is_duration(field.type) else pa.string()
            batch = batch.set_column(i, field.name, batch.column(i).cast(target))
    return batch
