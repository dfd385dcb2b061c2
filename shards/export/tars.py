"""Writes tars of other layouts with the same care as our own: fixed owner, mode and time, whole or absent."""

from collections.abc import Iterable, Mapping
from itertools import chain

from shards.storage import open_atomic
from shards.ustar import TAR_MODE, TAR_OWNER

TarSample = tuple[str, Mapping[str, bytes]]
"""A key without dots, and contents by extension in the order to store them."""


def write_tar(path: str, samples: Iterable[TarSample]) -> int:
    """Write samples as a tar that appears whole or not at all, and return their number.

    Without samples no file is made: readers stumble over a tar that holds nothing.
    """
    from webdataset import TarWriter  # noqa: PLC0415 - imports torch, which costs every command seconds

    stream = iter(samples)
    first = next(stream, None)
    if first is None:
        return 0
    num_samples = 0
    with (
        open_atomic(path) as file,
        TarWriter(file, user=TAR_OWNER, group=TAR_OWNER, mode=TAR_MODE, mtime=0, encoder=False) as writer,
    ):
        for key, parts in chain([first], stream):
            for name, data in parts.items():  # one call per part: TarWriter sorts what it is given together
                writer.write({"__key__": key, name: data})
            num_samples += 1
    return num_samples
