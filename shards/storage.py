"""Where shard sets live: a local folder or any fsspec URL, with writes that are whole or absent."""

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import fsspec
from fsspec.implementations.local import LocalFileSystem

from curate.contract.errors import ShardError

NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the system answers when a disk or a quota is full."""
TEMP_SUFFIX = ".partial"
BUFFER_BYTES = 1 << 20


class HashingFile:
    """A write-only file that knows the sha256 and the number of the bytes it was given."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._sha256 = hashlib.sha256()
        self.num_bytes = 0

    def write(self, data: bytes) -> int:
        """Write all of ``data``."""
        self._sha256.update(data)
        self.num_bytes += len(data)
        return self._raw.write(data)

    def sha256_hex(self) -> str:
        """Return the hash of everything written so far."""
        return self._sha256.hexdigest()


def open_folder(folder: str) -> tuple[Any, str]:
    """Return the fsspec file system of ``folder`` and its path there, without a slash at the end."""
    file_system, root = fsspec.core.url_to_fs(str(folder))
    return file_system, str(root).rstrip("/")


def is_local(file_system: Any) -> bool:
    """Say whether paths of this file system are paths of this machine."""
    return isinstance(file_system, LocalFileSystem)


@contextmanager
def open_atomic(path: str) -> Iterator[HashingFile]:
    """Write a file that appears whole or not at all.

    Local paths: a temporary name in the same folder, fsync, rename. Others: a local temporary file, put at the end.
    The folder is made. On any error nothing appears and the temporary file is removed.

    Raises:
        ShardError: The disk is full; what was written before stays, so the same command goes on from there.
        OSError: Anything else that keeps the file from being written.
    """
    file_system, target = open_folder(path)
    folder, _, name = target.rpartition("/")
    with _explain_full_disk(folder if is_local(file_system) else tempfile.gettempdir()):
        spool = _make_spool(file_system, folder, name)
        try:
            with spool.open("wb", buffering=BUFFER_BYTES) as raw:
                yield HashingFile(raw)
                raw.flush()
                os.fsync(raw.fileno())
            _put_in_place(file_system, spool, target)
        finally:
            spool.unlink(missing_ok=True)


@contextmanager
def _explain_full_disk(folder: str) -> Iterator[None]:
    """Say the same of every file that does not fit, so that a failed run is one line."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        raise ShardError(f"no space left on the disk of {folder}; free some and run again") from error


def _make_spool(file_system: Any, folder: str, name: str) -> Path:
    """Return where a file is written first."""
    if is_local(file_system):
        Path(folder or ".").mkdir(parents=True, exist_ok=True)
        return Path(folder or ".") / f".{name}.{os.getpid()}{TEMP_SUFFIX}"
    handle, spool_name = tempfile.mkstemp(suffix=TEMP_SUFFIX)
    os.close(handle)
    return Path(spool_name)


def _put_in_place(file_system: Any, spool: Path, target: str) -> None:
    folder = target.rpartition("/")[0]
    if is_local(file_system):
        spool.replace(target)
        _fsync_folder(folder or ".")
    else:
        file_system.makedirs(folder, exist_ok=True)
        file_system.put_file(str(spool), target)


def write_bytes(path: str, data: bytes) -> None:
    """Write a small file atomically."""
    with open_atomic(path) as file:
        file.write(data)


def _fsync_folder(folder: str) -> None:
    """Make a rename in ``folder`` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
