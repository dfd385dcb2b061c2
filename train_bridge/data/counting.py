"""Counts the tokens of samples in several processes; what comes out does not depend on how many."""

import multiprocessing
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa

from curate.contract.errors import CurateError, ShardError
from shards.reader import ShardReader, read_json_part
from train_bridge.packing.split import label_spans
from train_bridge.signals import started_deaf
from train_bridge.tokens.encoder import Encoded, TextEncoder
from train_bridge.tokens.faults import SampleFault

COUNTED = pa.schema(
    [
        pa.field("num_ids", pa.int32(), nullable=False),  # tokens, an image counting as one
        pa.field("num_labels", pa.int32(), nullable=False),  # tokens with loss, without the first token
        pa.field("image_at", pa.list_(pa.int32()), nullable=False),  # indices of the placeholders
        pa.field("breaks", pa.list_(pa.int32()), nullable=False),  # indices at which to split if possible
        pa.field("label_spans", pa.list_(pa.int32()), nullable=False),  # start, stop, start, stop, ...
        pa.field("fault", pa.string()),  # SampleFault, null if the sample can be used
    ]
)
"""What is counted of a row of the index."""
CountRows = Callable[[pa.Table], pa.Table]
"""Rows of the index to ``COUNTED``, in their order."""
BATCH_SAMPLES = 1024
READ_THREADS = 8


class Counter:
    """Reads and counts in this process."""

    def __init__(self, folder: str, encoder: TextEncoder) -> None:
        """Open nothing yet."""
        self._reader, self._encoder = ShardReader(folder), encoder
        # Local reads take microseconds: threads would take more to hand them over.
        self._threads = None if self._reader.is_local else ThreadPoolExecutor(READ_THREADS)

    def count(self, batch: pa.RecordBatch) -> pa.Table:
        """Count rows of the index."""
        rows = batch.to_pylist()
        records = list(map(self._read, rows) if self._threads is None else self._threads.map(self._read, rows))
        encoded = iter(self._encoder.encode([record for record in records if not isinstance(record, SampleFault)]))
        results = [record if isinstance(record, SampleFault) else next(encoded) for record in records]
        image_token_id = self._encoder.image_token_id
        return pa.Table.from_pylist([_counts(one, image_token_id=image_token_id) for one in results], schema=COUNTED)

    def _read(self, row: dict[str, Any]) -> dict[str, Any] | SampleFault:
        try:
            return read_json_part(self._reader, row)
        except ShardError:
            return SampleFault.UNREADABLE

    def close(self) -> None:
        """Close what was opened."""
        if self._threads is not None:
            self._threads.shutdown()
        self._reader.close()


@contextmanager
def open_counter(folder: str, *, encoder: TextEncoder, num_processes: int) -> Iterator[CountRows]:
    """Yield what counts rows of a shard set.

    Args:
        folder: Of the set.
        encoder: Of its text.
        num_processes: 1: this one.

    Raises:
        CurateError: A process has died.
    """
    if num_processes == 1:
        counter = Counter(folder, encoder)
        try:
            yield lambda rows: _concat(map(counter.count, _batches(rows)))
        finally:
            counter.close()
        return
    multiprocessing.set_forkserver_preload([__name__])  # else each process imports the tokenizers by itself
    context = multiprocessing.get_context("forkserver")  # this process has threads, whose locks a fork would copy
    with (
        started_deaf(),
        _without_main(),
        ProcessPoolExecutor(num_processes, mp_context=context, initializer=_start, initargs=(folder, encoder)) as pool,
    ):
        try:
            yield lambda rows: _concat(
                pa.ipc.open_stream(counted).read_all() for counted in pool.map(_count, map(_to_bytes, _batches(rows)))
            )
        except BrokenProcessPool as error:
            raise CurateError(
                f"{folder}: a process that counts tokens has died; it may have run out of memory"
            ) from error


@contextmanager
def _without_main() -> Iterator[None]:
    """Keep processes from importing the main module of this one, which takes seconds and is of no use to them."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


_of_process: list[Counter] = []
"""The counter of a process that counts for another."""


def _start(folder: str, encoder: TextEncoder) -> None:
    _of_process[:] = [Counter(folder, encoder)]


def _count(rows: bytes) -> bytes:
    (batch,) = pa.ipc.open_stream(rows)
    return _to_bytes(_of_process[0].count(batch).combine_chunks().to_batches()[0])


def _to_bytes(batch: pa.RecordBatch) -> bytes:
    """Return a batch alone: pickled, a slice takes all that it was cut from along."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _batches(rows: pa.Table) -> list[pa.RecordBatch]:
    batches: list[pa.RecordBatch] = rows.to_batches(max_chunksize=BATCH_SAMPLES)
    return batches


def _concat(counted: Iterable[pa.Table]) -> pa.Table:
    return pa.concat_tables([COUNTED.empty_table(), *counted])


def _counts(result: Encoded | SampleFault, *, image_token_id: int) -> dict[str, object]:
    if isinstance(result, SampleFault):
        empty: list[int] = []
        lists = {"image_at": empty, "breaks": empty, "label_spans": empty}
        return {"num_ids": 0, "num_labels": 0, **lists, "fault": str(result)}
    return {
        "num_ids": len(result.ids),
        "num_labels": int(result.labelled[1:].sum()),
        "image_at": np.flatnonzero(result.ids == image_token_id).astype(np.int32),
        "breaks": result.breaks,
        "label_spans": label_spans(result.labelled),
        "fault": None,
    }
