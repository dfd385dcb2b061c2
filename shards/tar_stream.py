"""Reads the members of a tar from front to back, in bounded memory, and hashes the file as it passes.

Archives as ``shards.writer`` makes them are read by ``PlainTar``, at a tenth of ``tarfile``'s time: a header must be,
byte for byte, what ``shards.ustar`` writes for its name and size. Whatever else is there, sound or broken, is for
``AnyTar``, which is ``tarfile`` and says what is wrong in its words.
"""

import hashlib
import tarfile
from dataclasses import dataclass
from typing import Any, Protocol

from shards.index import TAR_BLOCK_BYTES, padded_bytes
from shards.storage import BUFFER_BYTES
from shards.ustar import encode_header

MAX_HELD_BYTES = 64 << 20
"""Of a member's content that is held at once; a record or picture above that is not looked into."""
MAX_EXTENSION_BYTES = 1 << 20
"""Of a long name or a pax header; real ones have a few hundred."""
_EXTENSION_TYPES = frozenset(
    {tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE}
)
_NAME_BYTES = 100
_SIZE = slice(124, 135)
_END_BLOCK = bytes(TAR_BLOCK_BYTES)


class UnusualTar(Exception):  # noqa: N818 - no error: the other reader takes it
    """Something that ``PlainTar`` does not read."""


@dataclass(slots=True)
class Member:
    """A member's place."""

    name: str
    """What is no UTF-8 in it escaped by backslashes."""
    header: int
    """Offset of its header in bytes."""
    offset: int
    """Of its content, in bytes."""
    num_bytes: int


class TarStream(Protocol):
    """What both readers do. The content of a member can be taken once, until the next is asked for.

    What ``read`` finds too large has not been taken: ``digest`` still does.
    """

    end: int
    """Once ``next`` has returned None: where the last member ends, padding included, in bytes."""

    def next(self) -> Member | None:
        """Return the next member, None at the end of the archive."""

    def read(self) -> bytes | None:
        """Return the content of the member, None if it has more than ``MAX_HELD_BYTES``."""

    def digest(self) -> str:
        """Return the sha256 of the member's content, in hex."""

    def finish(self) -> tuple[str, int]:
        """Read on to the end of the file; return the sha256 of all of it, in hex, and its bytes."""


class _HashingFile:
    """A file whose bytes are hashed as they are read."""

    def __init__(self, raw: Any) -> None:
        self._raw, self._sha256, self.num_bytes = raw, hashlib.sha256(), 0

    def read(self, num_bytes: int) -> bytes:
        data: bytes = self._raw.read(num_bytes)
        self._sha256.update(data)
        self.num_bytes += len(data)
        return data

    def finish(self) -> tuple[str, int]:
        while self.read(BUFFER_BYTES):
            pass
        return self._sha256.hexdigest(), self.num_bytes


class PlainTar:
    """See ``TarStream``; every method raises ``UnusualTar`` where the archive is not as our writer makes it."""

    def __init__(self, raw: Any) -> None:
        self._file = _HashingFile(raw)
        self._buffer, self._at = b"", 0
        self._left = self._padding = 0  # of the current member, not yet taken
        self.end = 0

    def next(self) -> Member | None:
        """Return the next member; see ``TarStream``."""
        while self._left:
            self._take(min(self._left, BUFFER_BYTES))
        self._left = self._padding
        self._padding = 0
        if self._left:
            self._take(self._left)
        header_at = self._file.num_bytes - len(self._buffer) + self._at
        header = bytes(self._take(TAR_BLOCK_BYTES))
        if header == _END_BLOCK:
            self.end = header_at
            return None
        name, num_bytes = _parse_header(header)
        self._left, self._padding = num_bytes, padded_bytes(num_bytes) - num_bytes
        return Member(name, header_at, header_at + TAR_BLOCK_BYTES, num_bytes)

    def read(self) -> bytes | None:
        """Return the content; see ``TarStream``."""
        return bytes(self._take(self._left)) if self._left <= MAX_HELD_BYTES else None

    def digest(self) -> str:
        """Return the content's sha256; see ``TarStream``."""
        sha256 = hashlib.sha256()
        while self._left:
            sha256.update(self._take(min(self._left, BUFFER_BYTES)))
        return sha256.hexdigest()

    def finish(self) -> tuple[str, int]:
        """Read on to the end; see ``TarStream``."""
        return self._file.finish()

    def _take(self, num_bytes: int) -> memoryview:
        """Return the next bytes, all of them."""
        if len(self._buffer) - self._at < num_bytes:
            pieces = [self._buffer[self._at :]]
            missing = num_bytes - len(pieces[0])
            while missing > 0:
                piece = self._file.read(BUFFER_BYTES)
                if not piece:
                    raise UnusualTar
                pieces.append(piece)
                missing -= len(piece)
            self._buffer, self._at = b"".join(pieces), 0
        start = self._at
        self._at = start + num_bytes
        self._left = max(0, self._left - num_bytes)
        return memoryview(self._buffer)[start : self._at]


def _parse_header(header: bytes) -> tuple[str, int]:
    """Return the name and content bytes of a header that is one of ours."""
    try:
        name, num_bytes = header[:_NAME_BYTES].rstrip(b"\0").decode("ascii"), int(header[_SIZE], 8)
    except ValueError as error:
        raise UnusualTar from error
    if header != encode_header(name, num_bytes):
        raise UnusualTar
    return name, num_bytes


class AnyTar:
    """See ``TarStream``; ``next`` and what takes content raise ``tarfile.TarError`` where the archive is broken.

    At a broken header behind the first ``tarfile`` stops as at the end of the archive, without a word: the bytes of the
    file behind ``end`` tell them apart.
    """

    def __init__(self, raw: Any) -> None:
        self._file = _HashingFile(raw)
        self._tar: Any = None
        self._content: Any = None
        self._num_bytes = 0  # of the content
        self.end = 0

    def next(self) -> Member | None:
        """Return the next member; see ``TarStream``."""
        if self._tar is None:
            self._tar = tarfile.open(  # type: ignore[call-overload]  # noqa: SIM115 - the stream is the caller's
                fileobj=self._file, mode="r|", bufsize=BUFFER_BYTES, tarinfo=_BoundedInfo
            )
        found = self._tar.next()
        self._tar.members.clear()  # tarfile would otherwise keep every header of the shard
        if found is None:
            self.end = self._tar.offset
            return None
        self._content = self._tar.extractfile(found)  # None for a member that has no content, such as a folder
        name = found.name.encode("utf-8", "backslashreplace").decode()
        self._num_bytes = 0 if self._content is None else found.size
        return Member(name, found.offset, found.offset_data, self._num_bytes)

    def read(self) -> bytes | None:
        """Return the content; see ``TarStream``."""
        if self._content is None:
            return b""
        return bytes(self._content.read()) if self._num_bytes <= MAX_HELD_BYTES else None

    def digest(self) -> str:
        """Return the content's sha256; see ``TarStream``."""
        sha256 = hashlib.sha256()
        while self._content is not None and (data := self._content.read(BUFFER_BYTES)):
            sha256.update(data)
        return sha256.hexdigest()

    def finish(self) -> tuple[str, int]:
        """Read on to the end; see ``TarStream``."""
        return self._file.finish()


class _BoundedInfo(tarfile.TarInfo):
    """A header whose extensions are not read into memory whatever their size, nor holes made bytes of."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _EXTENSION_TYPES and self.size > MAX_EXTENSION_BYTES:
            raise tarfile.ReadError(f"a header of {self.size:,} bytes")
        member: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]  # the documented way to hook in
        if member.sparse is not None:
            raise tarfile.ReadError("a sparse member")
        return member
