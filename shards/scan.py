"""Reads a tar from front to back and says what is in it, trusting neither the index nor the writer.

Positions come from the headers, one after the other, not from the arithmetic of ``shards.index``, so that each checks
the other.
"""

import hashlib
import io
import tarfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from PIL import Image

from shards.index import index_row, index_table
from shards.record import ImageItem, Record, parse_record, record_images
from shards.sample import JSON_PART
from shards.storage import open_folder
from shards.tar_stream import MAX_HELD_BYTES, AnyTar, Member, PlainTar, TarStream, UnusualTar

BLOCK_ROWS = 4096
"""Rows that wait as dictionaries, of which each takes some kilobytes."""


@dataclass(kw_only=True, slots=True)
class ShardScan:
    """What was found in one tar."""

    name: str
    num_bytes: int = 0
    sha256: str = ""
    index: pa.Table
    """SHARD_INDEX as it should be; samples whose record cannot be read are left out."""
    end: int = 0
    """Where the archive ends by its own account, end-of-archive blocks included."""
    keys: list[str] = field(default_factory=list)
    """Of every sample, in order."""
    offsets: list[int] = field(default_factory=list)
    """Of every sample's first header, in bytes, and last of all the end of the last sample."""
    faults: list[str] = field(default_factory=list)
    """Each starts with the shard's name."""


@dataclass(slots=True)
class _Sample:
    """One that is being read: the run of adjacent members whose names agree up to the first dot."""

    key: str
    members: list[tuple[str, Member]] = field(default_factory=list)
    """Name of the part, and its place."""
    record: Record | None = None
    images: list[ImageItem] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """Of the record."""
    image_faults: list[str] = field(default_factory=list)


def scan_shard(folder: str, name: str, *, deep: bool = False) -> ShardScan:
    """Read one shard once and check everything that needs no other file. A tar that is not ours is begun anew.

    Checked: tar structure, keys and adjacency, each record against its schema, parts against items, sha256 of each
    image; with ``deep`` also that each image decodes to the size in its record.

    Args:
        folder: The shard set, local or an fsspec URL.
        name: File name of the shard; it must exist.
        deep: Decode images.

    Raises:
        OSError: The file cannot be read.
    """
    try:
        return _scan(folder, name, PlainTar, deep=deep)
    except UnusualTar:
        return _scan(folder, name, AnyTar, deep=deep)


def _scan(folder: str, name: str, open_stream: Callable[[Any], TarStream], *, deep: bool) -> ShardScan:
    file_system, root = open_folder(folder)
    scanner = _Scanner(name, deep=deep)
    scan = scanner.scan
    with file_system.open(f"{root}/{name}", "rb") as raw:
        stream = open_stream(raw)
        try:
            scanner.read(stream)
        except tarfile.TarError as error:
            scan.faults.append(f"{name}: broken tar after {len(scan.keys)} samples ({error})")
        scan.sha256, scan.num_bytes = stream.finish()
    scanner.flush()
    if not scan.keys and not scan.faults:
        scan.faults.append(f"{name}: no sample in it")
    if scan.num_bytes != scan.end and not scan.faults:
        scan.faults.append(
            f"{name}: the archive ends after {len(scan.keys)} samples at byte {scan.end:,}, the file at byte "
            f"{scan.num_bytes:,}; a header is broken or the file is cut off"
        )
    return scan


def list_keys(folder: str, name: str) -> list[str]:
    """Return the key of every sample of a shard, in order, without looking into any; as far as it can be read.

    Raises:
        OSError: The file cannot be read.
    """
    try:
        return _list_keys(folder, name, PlainTar)
    except UnusualTar:
        return _list_keys(folder, name, AnyTar)


def _list_keys(folder: str, name: str, open_stream: Callable[[Any], TarStream]) -> list[str]:
    file_system, root = open_folder(folder)
    keys: list[str] = []
    with file_system.open(f"{root}/{name}", "rb") as raw, suppress(tarfile.TarError):
        stream = open_stream(raw)
        while (member := stream.next()) is not None:
            key = member.name.partition(".")[0]
            if keys[-1:] != [key]:
                keys.append(key)
    return keys


class _Scanner:
    """Takes members one by one; holds one content at a time."""

    def __init__(self, name: str, *, deep: bool) -> None:
        self.scan = ShardScan(name=name, index=index_table([]))
        self._deep = deep
        self._rows: list[dict[str, object]] = []
        self._blocks: list[pa.Table] = []

    def read(self, stream: TarStream) -> None:
        """Read every sample; samples are runs of members whose names agree up to the first dot, as readers have it."""
        sample: _Sample | None = None
        while (member := stream.next()) is not None:
            key, _, part = member.name.partition(".")
            if sample is None or key != sample.key:
                if sample is not None:
                    self._finish(sample)
                sample = _Sample(key)
            self._add(sample, part, member, stream)
        end = stream.end + 2 * tarfile.BLOCKSIZE
        self.scan.end = -(-end // tarfile.RECORDSIZE) * tarfile.RECORDSIZE
        if sample is not None:
            self._finish(sample)
            self.scan.offsets.append(stream.end)

    def flush(self) -> None:
        """Put all rows into the index."""
        self._blocks.append(index_table(self._rows))
        self._rows = []
        self.scan.index = pa.concat_tables(self._blocks)

    def _add(self, sample: _Sample, part: str, member: Member, stream: TarStream) -> None:
        place = len(sample.members)
        sample.members.append((part, member))
        if not place:
            if part == JSON_PART:
                sample.record, sample.faults = _read_record(stream, member)
                sample.images = [] if sample.record is None else record_images(sample.record)
        elif place <= len(sample.images):
            sample.image_faults += _check_image(sample.images[place - 1], stream, member, deep=self._deep)

    def _finish(self, sample: _Sample) -> None:
        scan, where = self.scan, f"{self.scan.name}, sample {sample.key}"
        first, header = sample.members[0][0], sample.members[0][1].header
        scan.keys.append(sample.key)
        scan.offsets.append(header)
        if first != JSON_PART:
            scan.faults.append(f"{where}: starts with {first} instead of {JSON_PART}")
            return
        scan.faults.extend(f"{where}: {fault}" for fault in sample.faults)
        if sample.record is None:
            return
        names = [name for name, _ in sample.members]
        if names[1:] != [image.part for image in sample.images]:
            scan.faults.append(f"{where}: has parts {names} for {len(sample.images)} image items")
        scan.faults.extend(f"{where}: {fault}" for fault in sample.image_faults)
        parts = [{"name": name, "offset": one.offset, "num_bytes": one.num_bytes} for name, one in sample.members]
        record = sample.record.model_dump(include={"doc_id", "source", "kind", "items"})
        self._rows.append(index_row(record, key=sample.key, shard=scan.name, offset=header, parts=parts))
        if len(self._rows) == BLOCK_ROWS:
            self._blocks.append(index_table(self._rows))
            self._rows = []


def _read_record(stream: TarStream, member: Member) -> tuple[Record | None, list[str]]:
    data = stream.read()
    if data is None:
        return None, [f"json has {member.num_bytes:,} bytes, more than the {MAX_HELD_BYTES:,} that are read"]
    return parse_record(data)


def _check_image(image: ImageItem, stream: TarStream, member: Member, *, deep: bool) -> list[str]:
    data = stream.read() if deep else None
    digest = stream.digest() if data is None else hashlib.sha256(data).hexdigest()
    if digest != image.sha256:
        return [f"{image.part} is not the image that was stored (sha256 differs)"]
    if not deep:
        return []
    if data is None:
        return [
            f"{image.part} does not decode ({member.num_bytes:,} bytes, more than {MAX_HELD_BYTES:,} that are read)"
        ]
    return _check_pixels(image, data)


def _check_pixels(image: ImageItem, data: bytes) -> list[str]:
    try:
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()
            size = picture.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return [f"{image.part} does not decode ({error})"]
    if size != (image.width, image.height):
        return [f"{image.part} is {size[0]}x{size[1]} px, the record says {image.width}x{image.height}"]
    return []
