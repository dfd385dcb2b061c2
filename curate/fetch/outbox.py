"""Fetched rows on their way to where they are kept: in batches, in a thread, while the network goes on."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

import pyarrow as pa

FetchRow = dict[str, object]
"""Columns of one fetched URL, or of one row that wants it."""

Store = Callable[[pa.Table], None]
"""Keeps some rows for good, in the order in which they came."""

BATCH_BYTES = 16_000_000
"""Of bodies or images in a batch: large enough for a disk or an object store, small beside a worker's memory."""
BATCH_ROWS = 1_000
MIN_WAIT_S, MAX_WAIT_S = 2.0, 30.0
"""How long a row waits for company: a quarter of the time since the start, within these bounds. It is what a crash may
cost, and a call that takes long makes few small batches."""
WAIT_SHARE = 0.25


class Outbox:
    """Takes rows one by one. Holds two batches at most beside what waits in `add`: one is filled, one is written."""

    def __init__(self, store: Callable[[list[FetchRow]], None]) -> None:
        self._store = store
        self._rows: list[FetchRow] = []
        self._num_bytes = 0
        self._writing = asyncio.Lock()
        self._closing = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")

    async def __aenter__(self) -> Self:
        self._clock = asyncio.create_task(self._write_in_time())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        try:
            await self._clock
            async with self._writing:
                await self._write()  # also after an error: what has come need not come again
        except Exception:
            if error is None:
                raise
        finally:
            self._thread.shutdown()

    async def add(self, row: FetchRow) -> None:
        """Take a row; waits while the batch is full and the one before it is being written.

        Raises:
            Exception: What the store raised.
        """
        self._rows.append(row)
        data = row.get("data")
        self._num_bytes += len(data) if isinstance(data, bytes) else 0
        if self._clock.done():
            self._clock.result()
        if self._is_full:
            async with self._writing:
                if self._is_full:  # else who waited before has taken these rows along
                    await self._write()

    @property
    def _is_full(self) -> bool:
        return self._num_bytes >= BATCH_BYTES or len(self._rows) >= BATCH_ROWS

    async def _write(self) -> None:
        """Write what there is; `_writing` is held."""
        if self._rows:
            rows, self._rows, self._num_bytes = self._rows, [], 0
            await asyncio.get_running_loop().run_in_executor(self._thread, self._store, rows)

    async def _write_in_time(self) -> None:
        """Write what there is from time to time, until the end."""
        started_s = time.monotonic()
        while not self._closing.is_set():
            wait_s = min(max(MIN_WAIT_S, WAIT_SHARE * (time.monotonic() - started_s)), MAX_WAIT_S)
            try:
                await asyncio.wait_for(self._closing.wait(), wait_s)
            except TimeoutError:
                async with self._writing:
                    await self._write()
