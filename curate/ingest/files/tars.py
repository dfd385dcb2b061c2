"""Samples of WebDataset tars: neighbouring members whose names differ in their extension alone, read as they stream."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from curate.contract.records import Fault
from curate.ingest.files.faults import READ_ERRORS, Place, describe_error, file_fault, record_fault

MAX_PART_BYTES = 64 << 20
"""Of one member that is kept in memory; a larger one makes its sample a fault."""
MAX_SAMPLE_PARTS = 1000
TAR_ERRORS = (*READ_ERRORS, tarfile.TarError)


@dataclass(kw_only=True, slots=True)
class TarSample:
    """Members of one key."""

    place: Place
    """Numbered from 1 over the samples of the file."""
    key: str
    """Path of the members up to the first dot of the name."""
    parts: dict[str, bytes] = field(default_factory=dict)
    """By extension, lower case, in the order of the file: ``jpg``, ``0.jpg``, ``json``, ..."""
    fault: str = ""
    """What keeps it from being read; empty: nothing."""


def read_tar_samples(stream: IO[bytes], *, label: str) -> Iterator[TarSample | Fault]:
    """Yield the samples of a tar in order; members that are no files are passed over.

    Args:
        stream: Bytes, decompressed; it need not be seekable.
        label: Names the file in faults and ordinals.

    Yields:
        Samples. One with a member that is too large is a fault; if the file breaks off, its last entry is one too.
    """
    sample: TarSample | None = None
    number = 0
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                if not member.isfile():
                    continue
                key, extension = _split(member.name)
                if sample is None or key != sample.key:
                    if sample is not None:
                        yield _finish(sample)
                    number += 1
                    sample = TarSample(place=Place(label=label, number=number), key=key)
                _add(sample, extension, member, archive)
                archive.members = []  # type: ignore[attr-defined]  # a streamed archive keeps what it has passed
    except TAR_ERRORS as error:
        if sample is not None and sample.parts:
            yield record_fault(sample.place, f"{sample.key[:80]}: the file breaks off in it or behind it")
        yield file_fault(label, f"reading stops here: {describe_error(error)}", number=number + 1)
        return
    if sample is not None:
        yield _finish(sample)
    else:
        yield file_fault(label, "no file in this tar")


def _split(name: str) -> tuple[str, str]:
    folder, slash, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    return f"{folder}{slash}{stem}", extension.lower()


def _add(sample: TarSample, extension: str, member: tarfile.TarInfo, archive: tarfile.TarFile) -> None:
    if member.size > MAX_PART_BYTES:
        sample.fault = sample.fault or f"{member.name[:80]} has {member.size:,} bytes, more than {MAX_PART_BYTES:,}"
    elif len(sample.parts) == MAX_SAMPLE_PARTS:
        sample.fault = sample.fault or f"more than {MAX_SAMPLE_PARTS} members"
    elif extension in sample.parts:
        sample.fault = sample.fault or f"{member.name[:80]} is there twice"
    elif not sample.fault:
        file = archive.extractfile(member)
        data = file.read() if file is not None else b""
        if len(data) != member.size:
            raise EOFError("the file breaks off")
        sample.parts[extension] = data


def _finish(sample: TarSample) -> TarSample | Fault:
    return record_fault(sample.place, f"{sample.key[:80]}: {sample.fault}") if sample.fault else sample
