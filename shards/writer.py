"""Writes one shard: samples in, a tar and its rows of the index out.

The tar depends on the samples and the shard's number alone: fixed owner, mode and time, parts in a fixed order. Any
worker may therefore write any shard, twice if need be.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from curate.contract.errors import ShardError
from shards.index import SEQUENCE_DIGITS, SHARD_DIGITS, index_row, index_table, place_parts
from shards.licenses import LicenseCounter, LicenseCounts
from shards.sample import Sample, encode_record, sample_images, sample_record
from shards.storage import open_atomic
from shards.ustar import encode_end, encode_header, padding


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardResult:
    """What a written shard tells the manifest and the index."""

    name: str
    """File name, such as ``00000.tar``."""
    num_samples: int
    num_images: int
    num_bytes: int
    """Size of the tar."""
    sha256: str
    """Of the tar, in hex."""
    index: pa.Table
    """SHARD_INDEX, a row per sample in stored order."""
    licenses: LicenseCounts = field(default_factory=dict)
    """Of its samples; empty where they were not looked at."""


def shard_name(shard: int) -> str:
    """Return the file name of a shard."""
    return f"{shard:0{SHARD_DIGITS}d}.tar"


def sample_key(shard: int, sequence: int) -> str:
    """Return a sample's key: the shard's digits, then the sample's in the shard; no dots.

    Readers cut a part's name at its first dot, so a dot in a key would move part of it into the part's name.

    Raises:
        ShardError: A number needs more digits than the key has, which would make keys ambiguous.
    """
    if not 0 <= shard < 10**SHARD_DIGITS or not 0 <= sequence < 10**SEQUENCE_DIGITS:
        raise ShardError(
            f"shard {shard}, sample {sequence}: keys have room for {10**SHARD_DIGITS:,} shards of "
            f"{10**SEQUENCE_DIGITS:,} samples; put more samples (or fewer) into a shard"
        )
    return f"{shard:0{SHARD_DIGITS}d}{sequence:0{SEQUENCE_DIGITS}d}"


def write_shard(path: str, samples: Iterable[Sample], *, shard: int) -> ShardResult:
    """Write ``samples`` as one tar that appears whole or not at all.

    Args:
        path: Local path or fsspec URL of the tar; its last part should be ``shard_name(shard)``.
        samples: Taken one at a time; no more than one is held.
        shard: Its number in the set, which starts every key.

    Raises:
        ShardError: No samples, or one that cannot be encoded.
        OSError: The disk is full or the target cannot be written; no file is left behind.
    """
    return write_records(path, ((sample_record(one), sample_images(one)) for one in samples), shard=shard)


def write_records(
    path: str, samples: Iterable[tuple[Mapping[str, Any], Sequence[bytes]]], *, shard: int
) -> ShardResult:
    """Write samples that are records and images already, such as those of another shard; see ``write_shard``."""
    name = path.rpartition("/")[2]
    rows: list[dict[str, object]] = []
    licenses = LicenseCounter()
    offset = 0
    with open_atomic(path) as file:
        for sequence, (record, images) in enumerate(samples):
            key = sample_key(shard, sequence)
            encoded = encode_record(record, images=images)
            file.write(b"".join(_tar_pieces(key, encoded)))
            parts, end = place_parts([(part, len(data)) for part, data in encoded], offset=offset)
            licenses.add(record)
            rows.append(index_row(record, key=key, shard=name, offset=offset, parts=parts))
            offset = end
        if not rows:
            raise ShardError(f"{name}: a shard needs at least one sample")
        file.write(encode_end(offset))
        num_bytes, sha256 = file.num_bytes, file.sha256_hex()
    return make_result(index_table(rows), name=name, num_bytes=num_bytes, sha256=sha256, licenses=licenses.to_dict())


def _tar_pieces(key: str, encoded: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    for part, data in encoded:
        yield encode_header(f"{key}.{part}", len(data))
        yield data
        yield padding(len(data))


def make_result(
    index: pa.Table, *, name: str, num_bytes: int, sha256: str, licenses: LicenseCounts | None = None
) -> ShardResult:
    """Return a ShardResult whose sample and image counts are those of ``index``."""
    num_images = sum(index["num_images"].to_pylist())
    return ShardResult(
        name=name,
        num_samples=index.num_rows,
        num_images=num_images,
        num_bytes=num_bytes,
        sha256=sha256,
        index=index,
        licenses=licenses or {},
    )
