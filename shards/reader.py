"""Reads samples by offset, in any order, from a folder or a URL: one positioned read each, or one for neighbours."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from curate.contract.errors import SchemaError, ShardError, StorageError
from curate.contract.parquet import read_parquet
from curate.contract.schemas import SHARD_INDEX, check_schema
from shards.cache import CacheSettings, ShardCache
from shards.descriptors import Descriptors
from shards.index import TAR_BLOCK_BYTES
from shards.ranges import MAX_GAP_BYTES, ByteRange, merge_ranges
from shards.sample import JSON_PART
from shards.storage import is_local, open_folder

INDEX_NAME = "index.parquet"
TAR_NAME_BYTES = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredSample:
    """A sample as read back."""

    key: str
    record: dict[str, Any]
    """``KEY.json``: see ``shards.sample``."""
    images: list[bytes]
    """Bytes of ``0.jpg``, ``1.jpg``, ... in the order of the record's image items."""


def read_index(folder: str) -> pa.Table:
    """Return the index of a shard set: SHARD_INDEX, a row per sample in the order of the set.

    Raises:
        ShardError: No index, or not one of this format.
    """
    file_system, root = open_folder(folder)
    path = f"{root}/{INDEX_NAME}"
    try:
        with file_system.open(path, "rb") as file:
            table = read_parquet(file)
        check_schema(table, SHARD_INDEX, where=path)
    except FileNotFoundError as error:
        raise ShardError(f"{folder}: no {INDEX_NAME} here; is this a finished shard set?") from error
    except (pa.ArrowInvalid, OSError, SchemaError) as error:
        raise ShardError(f"{path}: not a readable shard index ({error})") from error
    return table


def read_sample(folder: str, row: Mapping[str, Any], *, check_images: bool = False) -> StoredSample:
    """Read one sample; for many, keep a ``ShardReader`` open.

    Args:
        folder: The shard set, local or an fsspec URL.
        row: A row of the index: ``key``, ``shard``, ``offset``, ``num_bytes`` and ``parts`` are used.
        check_images: Also compare each image with the sha256 in the record.

    Raises:
        ShardError: See ``ShardReader.read``.
    """
    with ShardReader(folder) as reader:
        return reader.read(row, check_images=check_images)


def read_json_part(reader: "ShardReader", row: Mapping[str, Any]) -> dict[str, Any]:
    """Read ``KEY.json`` alone, the images of the sample staying on disk.

    Args:
        reader: Of the shard set.
        row: A row of the index; its first part is the JSON.

    Raises:
        ShardError: See ``ShardReader.read``.
    """
    part = row["parts"][0]
    num_bytes = part["offset"] + part["num_bytes"] - row["offset"]
    return reader.read({**row, "num_bytes": num_bytes, "parts": [part]}).record


class ShardReader:
    """Reads samples of one set; keeps some local shards open until closed. Safe to use from threads."""

    def __init__(self, folder: str, *, cache: CacheSettings | None = None) -> None:
        """Open nothing yet.

        Args:
            folder: The shard set, local or an fsspec URL.
            cache: Where shards of a remote set are kept; None reads each sample where it is.

        Raises:
            ShardError: With a cache: no finished set.
        """
        self._folder, self._cache_settings = str(folder), cache
        self._file_system, self._root = open_folder(self._folder)
        self.is_local = is_local(self._file_system)
        """Whether reads are quick: those of an object store wait for the network."""
        self._cache = ShardCache(self._folder, cache) if cache is not None and not self.is_local else None
        self._descriptors = Descriptors()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, tuple[str, CacheSettings | None]]:
        """Pickle as the folder: a copy in another process opens its own descriptors."""
        return _open_again, (self._folder, self._cache_settings)

    def close(self) -> None:
        """Close every descriptor; the reader may be used again and reopens them."""
        self._descriptors.close()
        if self._cache is not None:
            self._cache.close()

    def read(self, row: Mapping[str, Any], *, check_images: bool = False) -> StoredSample:
        """Read one sample with a single positioned read.

        Args:
            row: A row of the index.
            check_images: Also compare each image with the sha256 in the record.

        Raises:
            ShardError: The shard is missing or shorter than the index says, another sample lies at the offset, the
                JSON does not parse, or (with ``check_images``) an image is not the one that was stored.
        """
        whole = ByteRange(row["shard"], row["offset"], row["offset"] + row["num_bytes"], (0,))
        return _parse(self._read_range(whole, row), row, check_images=check_images)

    def read_many(self, rows: Sequence[Mapping[str, Any]]) -> list[StoredSample]:
        """Read samples in the order of ``rows``, those that lie close together with one read.

        On an object store all reads run at the same time.

        Raises:
            ShardError: See ``read``; no sample is given if one cannot be read.
        """
        ranges = merge_ranges(rows)
        found: dict[int, StoredSample] = {}
        for part, block in zip(ranges, self._read_ranges(ranges, rows), strict=True):
            for place in part.members:
                start = rows[place]["offset"] - part.start
                found[place] = _parse(block[start : start + rows[place]["num_bytes"]], rows[place])
        return [found[place] for place in range(len(rows))]

    def read_images(self, row: Mapping[str, Any], numbers: Sequence[int]) -> list[bytes]:
        """Read some images of one sample and nothing else of it; neighbours with one read.

        Args:
            row: A row of the index.
            numbers: Of its images, from 0.

        Raises:
            IndexError: The sample has fewer.
            ShardError: See ``read``.
        """
        images = [part for part in row["parts"] if part["name"] != JSON_PART]
        parts = [images[number] for number in numbers]
        rows = [
            {**row, "offset": part["offset"] - TAR_BLOCK_BYTES, "num_bytes": part["num_bytes"] + TAR_BLOCK_BYTES}
            for part in parts
        ]
        found: list[bytes] = [b""] * len(rows)
        ranges = merge_ranges(rows, max_gap_bytes=TAR_BLOCK_BYTES if self.is_local else MAX_GAP_BYTES)
        for merged, block in zip(ranges, self._read_ranges(ranges, rows), strict=True):
            for place in merged.members:
                start = parts[place]["offset"] - merged.start
                _check_header(
                    block, start - TAR_BLOCK_BYTES, name=f"{row['key']}.{parts[place]['name']}", row=rows[place]
                )
                found[place] = block[start : start + parts[place]["num_bytes"]]
        return found

    def _read_ranges(self, ranges: Sequence[ByteRange], rows: Sequence[Mapping[str, Any]]) -> list[bytes]:
        if self.is_local or self._cache is not None or len(ranges) == 1:
            return [self._read_range(part, rows[part.members[0]]) for part in ranges]
        paths = [f"{self._root}/{part.shard}" for part in ranges]
        starts, stops = [part.start for part in ranges], [part.stop for part in ranges]
        blocks = self._file_system.cat_ranges(paths, starts, stops, on_error="return")
        for part, block in zip(ranges, blocks, strict=True):
            _check_size(block, part.stop - part.start, rows[part.members[0]])
        return list(blocks)

    def _read_range(self, part: ByteRange, row: Mapping[str, Any]) -> bytes:
        path = f"{self._root}/{part.shard}"
        if self.is_local:
            return self._read_local(path, part, row)
        if self._cache is not None and (cached := self._cache.find(part.shard)) is not None:
            with suppress(ShardError):  # removed or cut off by hand: it is still where it was
                return self._read_local(cached, part, row)
        try:
            block = self._file_system.cat_file(path, start=part.start, end=part.stop)
        except Exception as error:  # noqa: BLE001 - every file system has errors of its own
            block = error
        return _check_size(block, part.stop - part.start, row)

    def _read_local(self, path: str, part: ByteRange, row: Mapping[str, Any]) -> bytes:
        try:
            with self._descriptors.borrow(path) as descriptor:
                block: bytes | OSError = os.pread(descriptor, part.stop - part.start, part.start)
        except OSError as error:
            block = error
        return _check_size(block, part.stop - part.start, row)


def _open_again(folder: str, cache: CacheSettings | None) -> ShardReader:
    return ShardReader(folder, cache=cache)


def _check_size(block: bytes | Exception, num_bytes: int, row: Mapping[str, Any]) -> bytes:
    if isinstance(block, FileNotFoundError):
        raise _fault(row, f"cannot be read ({block})") from block
    if isinstance(block, Exception):
        what = " ".join(str(block).split()) or type(block).__name__
        raise StorageError(f"{row['shard']}, sample {row['key']}: cannot be read ({what})") from block
    if len(block) != num_bytes:
        at = row["offset"]
        raise _fault(row, f"{num_bytes} bytes wanted at offset {at}, {len(block)} there; the shard is cut off")
    return block


def _parse(block: bytes, row: Mapping[str, Any], *, check_images: bool = False) -> StoredSample:
    contents: dict[str, bytes] = {}
    for part in row["parts"]:
        start = part["offset"] - row["offset"]
        _check_header(block, start - TAR_BLOCK_BYTES, name=f"{row['key']}.{part['name']}", row=row)
        contents[part["name"]] = block[start : start + part["num_bytes"]]
    record = _parse_record(contents.pop(JSON_PART, b""), row=row)
    if check_images:
        _check_images(record, contents, row=row)
    return StoredSample(key=row["key"], record=record, images=list(contents.values()))


def _check_header(block: bytes, start: int, *, name: str, row: Mapping[str, Any]) -> None:
    """Catch an index that belongs to other tars before their bytes are taken for a sample."""
    found = block[start : start + TAR_NAME_BYTES].rstrip(b"\0") if start >= 0 else b""
    if found != name.encode():
        raise _fault(row, f"{name} is not where the index says; found {found[:40]!r}")


def _parse_record(data: bytes, *, row: Mapping[str, Any]) -> dict[str, Any]:
    try:
        record = json.loads(data)
    except ValueError as error:  # covers JSONDecodeError and UnicodeDecodeError
        raise _fault(row, f"its JSON does not parse ({error})") from error
    if not isinstance(record, dict):
        raise _fault(row, "its JSON is no object")
    return record


def _check_images(record: Mapping[str, Any], contents: Mapping[str, bytes], *, row: Mapping[str, Any]) -> None:
    for item in record.get("items", []):
        if item.get("type") != "image":
            continue
        data = contents.get(item["part"])
        if data is None or hashlib.sha256(data).hexdigest() != item["sha256"]:
            raise _fault(row, f"{item['part']} is not the image that was stored (sha256 differs)")


def _fault(row: Mapping[str, Any], what: str) -> ShardError:
    return ShardError(f"{row['shard']}, sample {row['key']}: {what}")
