"""Opening input files: any fsspec path, gzip by extension, the members of a zip."""

import gzip
import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import fsspec

_BUFFER_BYTES = 256 << 10
_ARCHIVE_NOISE = "__MACOSX/"  # resource forks that macOS adds to archives


@contextmanager
def open_binary(path: str) -> Iterator[IO[bytes]]:
    """Open ``path`` for reading bytes as they lie in storage: seekable, buffered, never loaded whole.

    Raises:
        OSError, ValueError, ImportError: As fsspec does for what it cannot open.
    """
    with fsspec.open(path, "rb", compression=None) as raw, io.BufferedReader(raw, _BUFFER_BYTES) as stream:
        yield stream


def gunzip(stream: IO[bytes]) -> IO[bytes]:
    """Return the decompressed content of a gzip stream; concatenated gzip files read as one."""
    # No second buffer: it would throw away what a truncated file still holds before its end.
    return gzip.GzipFile(fileobj=stream)  # type: ignore[return-value]  # an IO[bytes] in all but its declared name


def list_members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the files of a zip in the order of its directory."""
    return [m for m in archive.infolist() if not m.is_dir() and not m.filename.startswith(_ARCHIVE_NOISE)]


def strip_compression(name: str) -> tuple[str, str]:
    """Split ``a.jsonl.gz`` into ``a.jsonl`` and ``gz``; the second part is empty for an uncompressed file."""
    stem, dot, extension = name.rpartition(".")
    extension = extension.lower()
    return (stem, extension) if dot and extension in {"gz", "zip"} else (name, "")
