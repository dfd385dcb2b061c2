"""Peak memory of processes while something runs, looked at ten times a second."""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

INTERVAL_S = 0.1
MEGABYTE = 1e6


@dataclass(kw_only=True, slots=True)
class Peak:
    """Largest resident memory seen, in MB."""

    driver: float = 0.0
    worker: float = 0.0
    """Of the largest one."""


@contextmanager
def watch_memory(workers: Sequence[int]) -> Iterator[Peak]:
    """Yield what is filled in while the block runs.

    Args:
        workers: Process ids.
    """
    peak, is_over = Peak(), threading.Event()

    def look() -> None:
        while not is_over.wait(INTERVAL_S):
            peak.driver = max(peak.driver, _resident_mb(os.getpid()))
            peak.worker = max([peak.worker, *map(_resident_mb, workers)])

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        is_over.set()
        thread.join()


def _resident_mb(process: int) -> float:
    with suppress(OSError, ValueError, IndexError):
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / MEGABYTE
    return 0.0
