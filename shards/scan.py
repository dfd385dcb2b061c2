"""Reads a tar from front to back and says what is in it, trusting neither the index nor the writer.

Positions come from ``tarfile``, not from the arithmetic of ``shards.index``, so that each checks the other.
"""

import hashlib
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from shards.index import index_row
from shards.record import ImageItem, parse_record, record_images
from shards.sample import JSON_PART
from shards.storage import BUFFER_BYTES, open_folder


@dataclass(kw_only=True, slots=True)
class ShardScan:
    """What was found in one tar."""

    name: str
    num_bytes: int = 0
    sha256: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list)
    """Rows as the index should have them; samples whose record cannot be read are left out."""
    end: int = 0
    """Where the archive ends by its own account, end-of-archive blocks included."""
    keys: list[str] = field(default_factory=list)
    """Of every sample, in order."""
    offsets: list[int] = field(default_factory=list)
    """Of every sample's first header, in bytes, and last of all the end of the last sample."""
    faults: list[str] = field(default_factory=list)
    """Each starts with the shard's name."""


@dataclass(kw_only=True, slots=True)
class _Part:
    name: str
    header: int
    offset: int
    data: bytes


class _HashingReader:
    """Feeds a stream to ``tarfile`` and hashes what passes."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._sha256 = hashlib.sha256()
        self.num_bytes = 0

    def read(self, num_bytes: int) -> bytes:
        data: bytes = self._raw.read(num_bytes)
        self._sha256.update(data)
        self.num_bytes += len(data)
        return data

    def drain(self) -> str:
        """Read to the end and return the sha256 of the whole stream."""
        while self.read(BUFFER_BYTES):
            pass
        return self._sha256.hexdigest()


def scan_shard(folder: str, name: str, *, deep: bool = False) -> ShardScan:
    """Read one shard once and check everything that needs no other file.

    Checked: tar structure, keys and adjacency, each record against its schema, parts against items, sha256 of each
    image; with ``deep`` also that each image decodes to the size in its record.

    Args:
        folder: The shard set, local or an fsspec URL.
        name: File name of the shard; it must exist.
        deep: Decode images.

    Raises:
        OSError: The file cannot be read.
    """
    file_system, root = open_folder(folder)
    scan = ShardScan(name=name)
    with file_system.open(f"{root}/{name}", "rb") as raw:
        stream = _HashingReader(raw)
        try:
            for key, parts in _iterate_samples(stream, scan):
                _scan_sample(scan, key, parts, deep=deep)
        except tarfile.TarError as error:
            scan.faults.append(f"{name}: broken tar after {len(scan.keys)} samples ({error})")
        scan.sha256 = stream.drain()
        scan.num_bytes = stream.num_bytes
    if not scan.keys and not scan.faults:
        scan.faults.append(f"{name}: no sample in it")
    if scan.num_bytes != scan.end and not scan.faults:
        scan.faults.append(
            f"{name}: the archive ends after {len(scan.keys)} samples at byte {scan.end:,}, the file at byte "
            f"{scan.num_bytes:,}; a header is broken or the file is cut off"
        )
    return scan


def _iterate_samples(stream: _HashingReader, scan: ShardScan) -> Iterator[tuple[str, list[_Part]]]:
    """Yield runs of adjacent members whose names agree up to the first dot, as every reader groups them.

    At a broken header ``tarfile`` stops as at the end of the archive, without a word; ``scan.end`` tells them apart.
    """
    key = ""
    parts: list[_Part] = []
    with tarfile.open(fileobj=stream, mode="r|", bufsize=BUFFER_BYTES) as tar:  # type: ignore[call-overload]
        while (member := tar.next()) is not None:
            content = tar.extractfile(member)
            own_key, _, part = member.name.encode("utf-8", "backslashreplace").decode().partition(".")
            if parts and own_key != key:
                yield key, parts
                parts = []
            key = own_key
            data = b"" if content is None else content.read()
            parts.append(_Part(name=part, header=member.offset, offset=member.offset_data, data=data))
            tar.members.clear()  # tarfile would otherwise keep every header of the shard
        samples_end = tar.offset
        scan.end = -(-(samples_end + 2 * tarfile.BLOCKSIZE) // tarfile.RECORDSIZE) * tarfile.RECORDSIZE
    if parts:
        yield key, parts
        scan.offsets.append(samples_end)


def _scan_sample(scan: ShardScan, key: str, parts: list[_Part], *, deep: bool) -> None:
    where = f"{scan.name}, sample {key}"
    scan.keys.append(key)
    scan.offsets.append(parts[0].header)
    names = [part.name for part in parts]
    if names[0] != JSON_PART:
        scan.faults.append(f"{where}: starts with {names[0]} instead of {JSON_PART}")
        return
    record, faults = parse_record(parts[0].data)
    scan.faults.extend(f"{where}: {fault}" for fault in faults)
    if record is None:
        return
    images = record_images(record)
    if names[1:] != [image.part for image in images]:
        scan.faults.append(f"{where}: has parts {names} for {len(images)} image items")
    for image, part in zip(images, parts[1:], strict=False):
        scan.faults.extend(f"{where}: {fault}" for fault in _check_image(image, part.data, deep=deep))
    places = [{"name": part.name, "offset": part.offset, "num_bytes": len(part.data)} for part in parts]
    scan.rows.append(index_row(record.model_dump(), key=key, shard=scan.name, offset=parts[0].header, parts=places))


def _check_image(image: ImageItem, data: bytes, *, deep: bool) -> list[str]:
    if hashlib.sha256(data).hexdigest() != image.sha256:
        return [f"{image.part} is not the image that was stored (sha256 differs)"]
    if not deep:
        return []
    try:
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()
            size = picture.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return [f"{image.part} does not decode ({error})"]
    if size != (image.width, image.height):
        return [f"{image.part} is {size[0]}x{size[1]} px, the record says {image.width}x{image.height}"]
    return []
