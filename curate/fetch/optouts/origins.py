"""What whole sites say, asked once per origin however many URLs wait, and remembered by the process for a while."""

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

MAX_AGE_S = 3_600.0
"""How long answers are reused by later calls of one process; RFC 9309, section 2.4 allows 24 hours."""

MAX_STORED_ORIGINS = 4_096

T = TypeVar("T")


class OriginStore(Generic[T]):
    """Answers that outlive a call: the next partition of a worker process need not ask again. Safe in threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, T]] = OrderedDict()

    def get(self, key: str) -> T | None:
        """Return an origin's answer unless it is too old."""
        with self._lock:
            stored_s, answer = self._kept.get(key, (0.0, None))
            return answer if time.monotonic() - stored_s < MAX_AGE_S else None

    def put(self, key: str, answer: T) -> None:
        """Keep an origin's answer; the oldest make room."""
        with self._lock:
            self._kept[key] = (time.monotonic(), answer)
            self._kept.move_to_end(key)
            if len(self._kept) > MAX_STORED_ORIGINS:
                self._kept.popitem(last=False)


class AskOnce(Generic[T]):
    """Asks each origin once per session."""

    def __init__(self, store: OriginStore[T]) -> None:
        self._store = store
        self._asked: dict[str, asyncio.Task[T]] = {}

    async def get(self, key: str, ask: Callable[[], Awaitable[tuple[T, bool]]]) -> T:
        """Return an origin's answer.

        Args:
            key: The origin.
            ask: Returns the answer, and whether later sessions may use it.
        """
        known = self._store.get(key)
        if known is not None:
            return known
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(self._ask(key, ask))
        # One caller's end must not cancel what others are waiting for.
        return await asyncio.shield(task)

    async def _ask(self, key: str, ask: Callable[[], Awaitable[tuple[T, bool]]]) -> T:
        answer, is_kept = await ask()
        if is_kept:
            self._store.put(key, answer)
        return answer
