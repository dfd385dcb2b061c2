"""Undoing content codings. The bytes decide, the label only helps: servers label what they do not compress.

Content-Encoding names character sets, file types or nothing at all on a part of the web; gzip also comes without it.
"""

import re

from multidict import CIMultiDictProxy

from curate.contract.reasons import FetchStatus
from curate.fetch.decode.sniff import image_format
from curate.fetch.errors import FetchError
from curate.fetch.network.decoders import (
    GZIP_MAGIC,
    ZSTD_MAGIC,
    Brotli,
    Decoder,
    Identity,
    Inflate,
    Zstd,
    is_zlib,
    is_zstd,
)

ACCEPT_ENCODING = "gzip, deflate"
"""What is asked for. br and zstd are undone where they come all the same: images do not compress, and on 7 MB of news
pages br (quality 5) was 15 % smaller than gzip, which is little beside the images."""

MAX_LAYERS = 2
"""Some servers compress files that are compressed."""

_GZIP = frozenset({"gzip", "x-gzip"})
_BROTLI, _ZSTD = frozenset({"br"}), frozenset({"zstd"})
_OWN = _GZIP | _BROTLI | _ZSTD | {"deflate"}
_FOREIGN = frozenset({"compress", "x-compress", "dcb", "dcz", "exi", "pack200-gzip", "lzma", "xz", "bzip2"})
"""Codings of IANA's registry, and some outside it, that mean what they say; any other label is ignored."""

_SNIFFED_BYTES = 32
_UTF8_MARK = b"\xef\xbb\xbf"
_BLANKS = b" \t\n\f\r"  # HTML's; other control characters may begin a coding
_SEPARATOR = re.compile(r"[,;\s]+")


def decoder_for(headers: CIMultiDictProxy[str]) -> Decoder:
    """Return what undoes the codings of an answer's body."""
    values = ",".join(headers.getall("Content-Encoding", []))
    return _Sniffing(frozenset(label for label in _SEPARATOR.split(values.lower()) if label), layers=MAX_LAYERS)


class _Sniffing:
    """Waits for the first bytes, which tell whether there is anything to undo."""

    def __init__(self, labels: frozenset[str], *, layers: int) -> None:
        self._labels = labels
        self._layers = layers
        self._num_sniffed = _SNIFFED_BYTES if labels & (_OWN | _FOREIGN) else len(ZSTD_MAGIC)
        self._held = b""
        self._chosen: Decoder | None = None

    def decode(self, data: bytes, max_bytes: int) -> bytes:
        if self._chosen is not None:
            return self._chosen.decode(data, max_bytes)
        self._held += data
        is_enough = len(self._held) >= self._num_sniffed or self._held.startswith(GZIP_MAGIC)
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
        if start.startswith(GZIP_MAGIC):
            return self._layer(Inflate(), _GZIP)
        if is_zstd(start):
            return self._layer(Zstd(), _ZSTD)
        if image_format(start) is not None or start.removeprefix(_UTF8_MARK).lstrip(_BLANKS)[:1] == b"<":
            return Identity()
        foreign = sorted(self._labels & _FOREIGN)
        if foreign:
            raise FetchError(FetchStatus.PROTOCOL_ERROR, f"content encoding {foreign[0]!a} was not asked for")
        if self._labels & _BROTLI:
            return self._layer(Brotli(), _BROTLI)
        return Inflate() if "deflate" in self._labels or (self._labels & _OWN and is_zlib(start)) else Identity()

    def _layer(self, outer: Decoder, names: frozenset[str]) -> Decoder:
        """Return what undoes a coding and what may be under it; labels that did not tell of it tell of nothing else."""
        if not self._layers:
            return Identity()
        under = self._labels - names if self._labels & names else frozenset[str]()
        return _Layer(outer, _Sniffing(under, layers=self._layers - 1))


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
