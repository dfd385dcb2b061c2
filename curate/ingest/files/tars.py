"""Samples of WebDataset tars: neighbouring members whose names differ in their extension alone, read as they stream."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from curate.contract.records import Fault
from curate.ingest.files.faults import READ_ERRORS, Place, describe_error, file_fault, record_fault

MAX_PART_BYTES = 64 << 20
"""Of one member that is kept in memory; a larger one makes its sample a fault."""
MAX_SAMPLE_PARTS, MAX_SAMPLE_BYTES = 1000, 256 << 20
MAX_EXTENSION_BYTES = 1 << 20
"""Of a long name or a pax header; real ones have a few hundred."""
_EXTENSION_TYPES = frozenset(
    {tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE}
)
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
    """Yield the samples of a tar in order; members that are no files are passed over, tars behind one another read on.

    Args:
        stream: Bytes, decompressed; it need not be seekable.
        label: Names the file in faults and ordinals.

    Yields:
        Samples. One with a member that is too large is a fault; if the file breaks off or is damaged, its last entry is
        one too.
    """
    sample: TarSample | None = None
    number = 0
    try:
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=_BoundedInfo) as archive:
            for member in _members(archive):
                key, extension = _split(member.name)
                if not member.isfile() or not key.rpartition("/")[2]:  # macOS adds `._0.jpg` to each `0.jpg`
                    continue
                if sample is None or key != sample.key:
                    if sample is not None:
                        yield _finish(sample)
                    number += 1
                    sample = TarSample(place=Place(label=label, number=number), key=key)
                _add(sample, extension, member, archive)
    except TAR_ERRORS as error:
        if sample is not None and sample.parts:
            yield record_fault(sample.place, f"{sample.key[:80]}: the file breaks off in it or behind it")
        yield file_fault(label, f"reading stops here: {describe_error(error)}", number=number + 1)
        return
    if sample is not None:
        yield _finish(sample)
    else:
        yield file_fault(label, "no file in this tar")


class _BoundedInfo(tarfile.TarInfo):
    """A header whose extensions, long names and the like, are not read into memory whatever their size."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _EXTENSION_TYPES and self.size > MAX_EXTENSION_BYTES:
            raise tarfile.ReadError(f"a header of {self.size:,} bytes")
        member: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]  # the documented way to hook in
        return member


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield members one by one; unlike the archive's own iterator, it takes no damage for the end."""
    member, has_ended = archive.firstmember, False  # type: ignore[attr-defined]  # read when it was opened
    if member is not None:
        yield member
    while True:
        archive.fileobj.seek(archive.offset)  # behind the content of the last
        try:
            member = tarfile.TarInfo.fromtarfile.__func__(_BoundedInfo, archive)  # type: ignore[attr-defined]
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # a block of zeros
            archive.offset += tarfile.BLOCKSIZE
            has_ended = True
            continue
        except tarfile.EmptyHeaderError as error:  # type: ignore[attr-defined]  # nothing is left
            if has_ended:
                return
            raise tarfile.ReadError("there is no end mark; the file breaks off") from error
        has_ended = False
        yield member


def _split(name: str) -> tuple[str, str]:
    folder, slash, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    return f"{folder}{slash}{stem}", extension.lower()


def _add(sample: TarSample, extension: str, member: tarfile.TarInfo, archive: tarfile.TarFile) -> None:
    if member.size > MAX_PART_BYTES:
        sample.fault = sample.fault or f"{member.name[:80]} has {member.size:,} bytes, more than {MAX_PART_BYTES:,}"
    elif len(sample.parts) == MAX_SAMPLE_PARTS:
        sample.fault = sample.fault or f"more than {MAX_SAMPLE_PARTS} members"
    elif sum(map(len, sample.parts.values())) + member.size > MAX_SAMPLE_BYTES:
        sample.fault = sample.fault or f"more than {MAX_SAMPLE_BYTES:,} bytes in all"
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
