"""Undoing content codings. The bytes decide, the label only helps: servers label what they do not compress.

Content-Encoding names character sets, file types or nothing at all on a part of the web; gzip also comes without it.
"""

import re
import zlib
from typing import Protocol

from multidict import CIMultiDictProxy

from curate.contract.reasons import FetchStatus
from curate.fetch.decode.sniff import image_format
from curate.fetch.errors import FetchError

ACCEPT_ENCODING = "gzip, deflate"
"""What can be undone here; nothing else is asked for."""

MAX_GZIP_MEMBERS = 64
"""Real bodies have one; thousands of empty ones are an attack on the processor."""

MAX_LAYERS = 2
"""Some servers compress files that are compressed."""

_OWN = frozenset({"gzip", "x-gzip", "deflate"})
_FOREIGN = frozenset(
    {"br", "zstd", "compress", "x-compress", "dcb", "dcz", "exi", "pack200-gzip", "lzma", "xz", "bzip2"}
)
"""Codings of IANA's registry, and some outside it, that mean what they say; any other label is ignored."""

_AUTO_HEADER = 32 + zlib.MAX_WBITS  # zlib or gzip, told by the header
_RAW_DEFLATE = -zlib.MAX_WBITS
_GZIP_MAGIC = b"\x1f\x8b\x08"  # RFC 1952, section 2.3.1; 8 is the only method
_ZLIB_METHOD_MASK, _ZLIB_METHOD, _ZLIB_CHECK = 0x0F, 8, 31  # RFC 1950, section 2.2
_SNIFFED_BYTES = 32
_UTF8_MARK = b"\xef\xbb\xbf"
_SEPARATOR = re.compile(r"[,;\s]+")


class Decoder(Protocol):
    """Undoes a coding chunk by chunk."""

    def decode(self, data: bytes, max_bytes: int) -> bytes:
        """Return at most `max_bytes` where the coding makes more of less; a caller that gets so many must not go on.

        Raises:
            FetchError: PROTOCOL_ERROR or TOO_LARGE.
        """

    def finish(self, max_bytes: int) -> bytes:
        """Return what was held back.

        Raises:
            FetchError: PROTOCOL_ERROR, there is no end.
        """


def decoder_for(headers: CIMultiDictProxy[str]) -> Decoder:
    """Return what undoes the codings of an answer's body."""
    values = ",".join(headers.getall("Content-Encoding", []))
    return _Sniffing(frozenset(label for label in _SEPARATOR.split(values.lower()) if label), layers=MAX_LAYERS)


class _Identity:
    def decode(self, data: bytes, max_bytes: int) -> bytes:  # noqa: ARG002 the caller counts what was received
        return data

    def finish(self, max_bytes: int) -> bytes:  # noqa: ARG002
        return b""


class _Sniffing:
    """Waits for the first bytes, which tell whether there is anything to undo."""

    def __init__(self, labels: frozenset[str], *, layers: int) -> None:
        self._labels = labels
        self._layers = layers
        self._num_sniffed = _SNIFFED_BYTES if labels & (_OWN | _FOREIGN) else len(_GZIP_MAGIC)
        self._held = b""
        self._chosen: Decoder | None = None

    def decode(self, data: bytes, max_bytes: int) -> bytes:
        if self._chosen is not None:
            return self._chosen.decode(data, max_bytes)
        self._held += data
        is_enough = len(self._held) >= self._num_sniffed or self._held.startswith(_GZIP_MAGIC)
        return self._begin(max_bytes) if is_enough else b""

    def finish(self, max_bytes: int) -> bytes:
        begun = self._begin(max_bytes) if self._chosen is None and self._held else b""
        return begun + (self._chosen.finish(max_bytes - len(begun)) if self._chosen is not None else b"")

    def _begin(self, max_bytes: int) -> bytes:
        self._chosen = self._choose()
        data, self._held = self._held, b""
        return self._chosen.decode(data, max_bytes)

    def _choose(self) -> Decoder:
        start = self._held
        if start.startswith(_GZIP_MAGIC):
            return _Layer(_Inflate(), _Sniffing(frozenset(), layers=self._layers - 1)) if self._layers else _Identity()
        if image_format(start) is not None or start.removeprefix(_UTF8_MARK).lstrip()[:1] == b"<":
            return _Identity()
        if "deflate" in self._labels or (self._labels & _OWN and _is_zlib(start)):
            return _Inflate()
        foreign = sorted(self._labels & _FOREIGN)
        if foreign:
            raise FetchError(FetchStatus.PROTOCOL_ERROR, f"content encoding {foreign[0]!a} was not asked for")
        return _Identity()


class _Layer:
    """One coding, and what may be under it."""

    def __init__(self, outer: Decoder, inner: Decoder) -> None:
        self._outer = outer
        self._inner = inner

    def decode(self, data: bytes, max_bytes: int) -> bytes:
        between = self._outer.decode(data, max_bytes)
        found = self._inner.decode(between, max_bytes)
        if len(between) >= max_bytes > len(found):
            raise FetchError(FetchStatus.TOO_LARGE, "content encoding: more bytes between two codings than are kept")
        return found

    def finish(self, max_bytes: int) -> bytes:
        self._outer.finish(max_bytes)
        return self._inner.finish(max_bytes)


class _Inflate:
    """Undoes gzip (RFC 1952, several members allowed) and deflate (with and without its zlib header)."""

    def __init__(self) -> None:
        self._stream: zlib._Decompress | None = None
        self._members = 0

    def decode(self, data: bytes, max_bytes: int) -> bytes:
        parts = list[bytes]()
        try:
            while data and max_bytes > 0:
                if self._stream is None and self._members and data[:1] != _GZIP_MAGIC[:1]:
                    break  # padding after the last member
                stream = self._stream or self._next_member(data)
                part = stream.decompress(data, max_bytes)
                parts.append(part)
                max_bytes -= len(part)
                data = stream.unused_data
                self._stream = None if stream.eof else stream
        except zlib.error as error:
            raise FetchError(FetchStatus.PROTOCOL_ERROR, f"content encoding: {error}") from error
        return b"".join(parts)

    def finish(self, max_bytes: int) -> bytes:  # noqa: ARG002
        if self._stream is not None:
            raise FetchError(FetchStatus.PROTOCOL_ERROR, "content encoding: the compressed stream has no end")
        return b""

    def _next_member(self, data: bytes) -> "zlib._Decompress":
        self._members += 1
        if self._members > MAX_GZIP_MEMBERS:
            raise FetchError(FetchStatus.PROTOCOL_ERROR, f"content encoding: more than {MAX_GZIP_MEMBERS} gzip members")
        has_header = data[:1] == _GZIP_MAGIC[:1] or _is_zlib(data)
        return zlib.decompressobj(_AUTO_HEADER if has_header else _RAW_DEFLATE)


def _is_zlib(data: bytes) -> bool:
    is_deflate = data[:1] != b"" and data[0] & _ZLIB_METHOD_MASK == _ZLIB_METHOD
    return is_deflate and (len(data) == 1 or int.from_bytes(data[:2], "big") % _ZLIB_CHECK == 0)
