"""Reads many small files at once: on an object store each costs a round trip or two."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pipelines.run.folder import Stamp, read_stamp

_Name = TypeVar("_Name")
_Result = TypeVar("_Result")

NUM_READERS = 16


def in_threads(call: Callable[[_Name], _Result], names: Sequence[_Name]) -> list[_Result]:
    """Return what ``call`` gives for each name, in order.

    Raises:
        Exception: What the first ``call`` in order raised.
    """
    with ThreadPoolExecutor(NUM_READERS) as pool:
        return list(pool.map(call, names))


def read_stamps(paths: Sequence[str]) -> list[Stamp | None]:
    """Return the stamp of each file."""
    return in_threads(read_stamp, paths)
