"""Where shard sets live: a local folder or any fsspec URL, with writes that are whole or absent."""

import errno
import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import fsspec
from fsspec.implementations.local import LocalFileSystem

from curate.contract.errors import ShardError

NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the system answers when a disk or a quota is full."""
TEMP_SUFFIX = ".partial"
BUFFER_BYTES = 1 << 20
NUM_CONNECTIONS = 64
"""To S3, of one process."""


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
    file_system, root = fsspec.core.url_to_fs(str(folder), **_options(str(folder)))
    return file_system, str(root).rstrip("/")


def _options(folder: str) -> dict[str, Any]:
    """Return what fsspec is told beside its configuration, which comes first.

    Botocore opens ten connections, so that of more reads at a time most would wait in the process itself.
    """
    protocol = folder.partition("://")[0]
    if protocol not in {"s3", "s3a"} or "config_kwargs" in fsspec.config.conf.get(protocol, {}):
        return {}
    return {"config_kwargs": {"max_pool_connections": NUM_CONNECTIONS}}


def is_local(file_system: Any) -> bool:
    """Say whether paths of this file system are paths of this machine."""
    return isinstance(file_system, LocalFileSystem)


@contextmanager
def atomic_path(path: str) -> Iterator[Path]:
    """Yield a local path to write a file at, which then appears at ``path`` whole, or not at all.

    Local paths: a temporary name in the same folder, fsync, rename. Others: a local temporary file, put at the end.
    The folder is made. On any error nothing appears and the temporary file is removed.

    Raises:
        ShardError: The disk is full; what was written before stays, so the same command goes on from there.
        OSError: Anything else that keeps the file from being written.
    """
    file_system, target = open_folder(path)
    folder, _, name = target.rpartition("/")
    with _explain_full_disk(folder if is_local(file_system) else tempfile.gettempdir()):
        spool = _spool_path(file_system, folder, name)
        try:
            yield spool
            _fsync(str(spool))
            _put_in_place(file_system, spool, target)
        finally:
            spool.unlink(missing_ok=True)


@contextmanager
def open_atomic(path: str) -> Iterator[HashingFile]:
    """Write a file that appears whole or not at all; see ``atomic_path``."""
    with atomic_path(path) as spool, spool.open("wb", buffering=BUFFER_BYTES) as raw:
        yield HashingFile(raw)


@contextmanager
def _explain_full_disk(folder: str) -> Iterator[None]:
    """Say the same of every file that does not fit, so that a failed run is one line."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        raise ShardError(f"no space left on the disk of {folder}; free some and run again") from error


def _spool_path(file_system: Any, folder: str, name: str) -> Path:
    """Return where a file is written first: a name that no other process chooses, in any container."""
    own = f".{name}.{secrets.token_hex(8)}{TEMP_SUFFIX}"
    if not is_local(file_system):
        return Path(tempfile.gettempdir()) / own
    Path(folder or ".").mkdir(parents=True, exist_ok=True)
    return Path(folder or ".") / own


def _put_in_place(file_system: Any, spool: Path, target: str) -> None:
    folder = target.rpartition("/")[0]
    if is_local(file_system):
        spool.replace(target)
        _fsync(folder or ".")  # makes the rename survive a power cut
    else:
        file_system.makedirs(folder, exist_ok=True)
        file_system.put_file(str(spool), target)


def write_bytes(path: str, data: bytes) -> None:
    """Write a small file atomically."""
    with open_atomic(path) as file:
        file.write(data)


def read_file(folder: str, name: str, *, max_bytes: int | None = None) -> bytes | None:
    """Return the contents of a small file, or its first bytes; None where it cannot be read."""
    file_system, root = open_folder(folder)
    try:
        return bytes(file_system.cat_file(f"{root}/{name}", start=0, end=max_bytes))
    except OSError:
        return None


def hash_file(folder: str, name: str) -> tuple[int, str]:
    """Return the bytes of a file and their sha256 in hex, holding a piece of it at a time; zero where there is none."""
    file_system, root = open_folder(folder)
    sha256, num_bytes = hashlib.sha256(), 0
    with suppress(OSError), file_system.open(f"{root}/{name}", "rb") as file:
        while data := file.read(BUFFER_BYTES):
            sha256.update(data)
            num_bytes += len(data)
    return num_bytes, sha256.hexdigest()


def remove_file(path: str) -> None:
    """Remove a file if it is there."""
    file_system, target = open_folder(path)
    with suppress(FileNotFoundError):
        file_system.rm_file(target)


def _fsync(path: str) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
