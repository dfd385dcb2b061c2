"""An object store in memory that refuses or hangs when it is told to."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import fsspec
from fsspec.implementations.memory import MemoryFileSystem


class FaultyFileSystem(MemoryFileSystem):  # type: ignore[misc]
    """``faulty://``; what goes wrong is the same for all of its instances."""

    protocol = "faulty"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    reads_before_faults = -1
    """Negative: never any."""
    num_refusals = 0
    """How many reads are refused then."""
    hanging: ClassVar[threading.Event | None] = None
    """Reads wait for it then."""
    num_reads = 0

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + path.removeprefix("faulty://").strip("/")

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: Any) -> bytes:
        kind = FaultyFileSystem
        kind.num_reads += 1
        if 0 <= kind.reads_before_faults < kind.num_reads:
            if kind.hanging is not None:
                kind.hanging.wait(60)
            if kind.num_refusals > 0:
                kind.num_refusals -= 1
                raise PermissionError("the provided token has expired")
        return bytes(super().cat_file(path, start=start, end=end, **options))


@contextmanager
def faulty_set(folder: str) -> Iterator[str]:
    """Put a shard set there; yields its URL."""
    fsspec.register_implementation("faulty", FaultyFileSystem, clobber=True)
    fsspec.filesystem("faulty").put(folder, "/set", recursive=True)
    try:
        heal()
        yield "faulty://set"
    finally:
        heal()
        FaultyFileSystem.store.clear()
        FaultyFileSystem.pseudo_dirs[:] = [""]


def refuse(*, after: int, times: int) -> None:
    FaultyFileSystem.reads_before_faults, FaultyFileSystem.num_refusals = FaultyFileSystem.num_reads + after, times


def hang(*, after: int) -> threading.Event:
    """Let reads hang; they go on when the event is set."""
    FaultyFileSystem.reads_before_faults, FaultyFileSystem.hanging = (
        FaultyFileSystem.num_reads + after,
        threading.Event(),
    )
    return FaultyFileSystem.hanging


def heal() -> None:
    FaultyFileSystem.reads_before_faults, FaultyFileSystem.num_refusals = -1, 0
    if FaultyFileSystem.hanging is not None:
        FaultyFileSystem.hanging.set()
    FaultyFileSystem.hanging = None
