"""Opening input files: any fsspec path, the members of a zip."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import fsspec

_BUFFER_BYTES = 256 << 10
_MEMBER_STEP_BYTES = 4 << 10  # so much at most is lost in front of damage
_ARCHIVE_NOISE = "__MACOSX/"  # resource forks that macOS adds to archives


@contextmanager
def open_binary(path: str) -> Iterator[io.BufferedReader]:
    """Open ``path`` for reading bytes as they lie in storage: seekable, buffered, never loaded whole.

    Raises:
        OSError, ValueError, ImportError: As fsspec does for what it cannot open.
    """
    with fsspec.open(path, "rb", compression=None) as raw, io.BufferedReader(raw, _BUFFER_BYTES) as stream:
        yield stream


@contextmanager
def open_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[io.BufferedReader]:
    """Open one file of a zip in the same way."""
    with archive.open(member) as content:
        stream: io.BufferedReader = io.BufferedReader(_Member(cast("zipfile.ZipExtFile", content)), _BUFFER_BYTES)
        yield stream


def list_members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the files of a zip in the order of its directory."""
    return [m for m in archive.infolist() if not m.is_dir() and not m.filename.startswith(_ARCHIVE_NOISE)]


class _Member(io.RawIOBase):
    """A member read a piece at a time: read by its own loop, damage would take with it what came just before."""

    def __init__(self, content: zipfile.ZipExtFile) -> None:
        self._content = content

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._content.seekable()

    def tell(self) -> int:
        return self._content.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._content.seek(offset, whence)

    def readinto(self, buffer: "memoryview[int]", /) -> int:  # type: ignore[override]  # of the two types it may be
        data = self._content.read1(min(len(buffer), _MEMBER_STEP_BYTES))
        buffer[: len(data)] = data
        return len(data)
