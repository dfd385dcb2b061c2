"""Shards of a remote set on a local disk, as many as fit a limit; the others are read where they are.

The first read of a shard starts its download in the background, one after the other, and is answered by a range read
meanwhile. Nothing is evicted: in a shuffled order every shard is read equally often, so those that fit are as good as
any others, and evicting would fetch the same bytes again. Nothing is deleted but what a killed download left behind.
Processes that share a folder share its shards and its limit, by locks that end with the process.
"""

import fcntl
import hashlib
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shards.index import SHARD_PATTERN
from shards.manifest import read_manifest
from shards.storage import open_folder

CHUNK_BYTES = 8 * 1024 * 1024
LOCK_NAME = ".lock"
PARTIAL_SUFFIX = ".partial"


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheSettings:
    """Where shards are kept, and how much of them."""

    folder: str
    """On a local disk; made if it is not there."""
    max_bytes: int
    """Of all files in it, whatever sets they are of."""


class ShardCache:
    """Downloads the shards of one set. Safe to use from threads."""

    def __init__(self, shards: str, settings: CacheSettings) -> None:
        """Read the manifest of the set: shards are kept under its checksums, so another set is another folder.

        Raises:
            ShardError: No finished set.
            OSError: The folder cannot be made.
        """
        listed = [shard for shard in read_manifest(shards).shards if SHARD_PATTERN.fullmatch(shard.name)]
        self._shards = {shard.name: shard for shard in listed}
        key = hashlib.sha256(" ".join(f"{shard.name} {shard.sha256}" for shard in listed).encode()).hexdigest()[:16]
        self._root, self._max_bytes = Path(settings.folder), settings.max_bytes
        self._folder = self._root / key
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file_system, self._remote = open_folder(shards)
        self._asked: set[str] = set()
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="shard-cache")

    def find(self, name: str) -> str | None:
        """Return the local path of a shard; if it is not there yet, ask for it and return None."""
        path = self._folder / name
        if name not in self._shards:
            return None
        if path.exists():
            return str(path)
        with self._lock:
            if name not in self._asked and not self._stop.is_set():
                self._asked.add(name)
                self._pool.submit(self._download, name)
        return None

    def close(self) -> None:
        """Stop downloading; what is half there is removed."""
        with self._lock:
            self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _download(self, name: str) -> None:
        """Fetch one shard if it fits; whatever goes wrong, samples are still read by range."""
        try:
            with self._reserve(name) as partial:
                if partial is not None and self._copy(name, partial):
                    partial.replace(self._folder / name)
        except OSError:
            return

    @contextmanager
    def _reserve(self, name: str) -> Iterator[Path | None]:
        """Give a file of the shard's size to write to, or None where there is no room or another process is at it."""
        partial, num_bytes = self._folder / (name + PARTIAL_SUFFIX), self._shards[name].num_bytes
        with self._locked():
            _remove_if_left_behind(partial)
            fits = self._used_bytes() + num_bytes <= self._max_bytes
            is_wanted = fits and not partial.exists() and not (self._folder / name).exists()
            handle = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644) if is_wanted else -1
            if is_wanted:
                fcntl.flock(handle, fcntl.LOCK_EX)
                os.truncate(handle, num_bytes)
        try:
            yield partial if is_wanted else None
        finally:
            if is_wanted:
                partial.unlink(missing_ok=True)
                os.close(handle)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process at a time look at sizes and reserve room."""
        handle = os.open(self._root / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _used_bytes(self) -> int:
        return sum(path.stat().st_size for path in self._root.rglob("*") if path.is_file())

    def _copy(self, name: str, partial: Path) -> bool:
        """Copy a shard; return whether it is all there and what the manifest says."""
        digest = hashlib.sha256()
        with self._file_system.open(f"{self._remote}/{name}", "rb") as source, partial.open("r+b") as target:
            while chunk := source.read(CHUNK_BYTES):
                if self._stop.is_set():
                    return False
                digest.update(chunk)
                target.write(chunk)
        return digest.hexdigest() == self._shards[name].sha256


def _remove_if_left_behind(partial: Path) -> None:
    """Remove a download whose process is gone: nobody holds its lock."""
    try:
        handle = os.open(partial, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        partial.unlink()
    except BlockingIOError:
        return
    finally:
        os.close(handle)
