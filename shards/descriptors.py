"""Open files by path, a bounded number at a time: a set may have more shards than a process may open files."""

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

MAX_OPEN = 128
"""Files kept open while nobody reads them; far below the usual limit of 1,024 per process."""


class Descriptors:
    """Read-only descriptors, kept for the next read, the least recently used closed first. Safe to use from threads."""

    def __init__(self, max_open: int = MAX_OPEN) -> None:
        self._max_open = max_open
        self._lock = threading.Lock()
        self._idle: OrderedDict[str, list[int]] = OrderedDict()
        self._num_idle = 0

    @contextmanager
    def borrow(self, path: str) -> Iterator[int]:
        """Give a descriptor that no other thread holds, so that nobody closes it meanwhile.

        Raises:
            OSError: The file cannot be opened.
        """
        with self._lock:
            descriptor = self._take(path)
        if descriptor is None:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            with self._lock:
                self._put_back(path, descriptor)

    def close(self) -> None:
        """Close every descriptor that nobody holds."""
        with self._lock:
            self._shrink(0)

    def _take(self, path: str) -> int | None:
        idle = self._idle.get(path)
        if not idle:
            return None
        descriptor = idle.pop()
        self._num_idle -= 1
        if not idle:
            del self._idle[path]
        return descriptor

    def _put_back(self, path: str, descriptor: int) -> None:
        self._idle.setdefault(path, []).append(descriptor)
        self._idle.move_to_end(path)
        self._num_idle += 1
        self._shrink(self._max_open)

    def _shrink(self, num_left: int) -> None:
        while self._num_idle > num_left:
            path = next(iter(self._idle))
            descriptor = self._take(path)
            if descriptor is not None:
                os.close(descriptor)
