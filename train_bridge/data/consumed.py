"""How often each sample of some shard sets was drawn by the plans of a run before its present one, in files.

A folder with an array a set, under the name of its lengths: a set that comes to a run later has none, one that leaves
it and comes back has its own again. What is in a folder never changes.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from shards.storage import atomic_path

Times = npt.NDArray[np.uint8]


class Consumed:
    """Reads and writes the folder."""

    def __init__(self, folder: str) -> None:
        """Open nothing yet."""
        self._folder = Path(folder)
        self.key = self._folder.name
        """Tells what is in it."""

    def times(self, names: Sequence[str], sizes: Sequence[int]) -> Times:
        """Return how often each row was drawn, [sum of sizes].

        Args:
            names: Of the sets' lengths.
            sizes: Samples of each.
        """
        found = []
        for name, size in zip(names, sizes, strict=True):
            path = self._folder / f"{name}.npy"
            found.append(np.load(path, mmap_mode="r") if path.exists() else np.zeros(size, dtype=np.uint8))
        return np.concatenate(found)


def write_consumed(parent: str, step: int, times: Mapping[str, Times]) -> str:
    """Write what was drawn up to a step, and return the name of its folder in ``parent``.

    Args:
        parent: Of all that a run keeps of this sort.
        step: Steps done.
        times: By name of a set's lengths.
    """
    digest = hashlib.sha256()
    for name in sorted(times):
        digest.update(name.encode())
        digest.update(times[name].tobytes())
    folder = f"step-{step:08d}-{digest.hexdigest()[:8]}"
    for name, array in times.items():
        with atomic_path(f"{parent}/{folder}/{name}.npy") as partial, partial.open("wb") as file:
            np.save(file, array)
    return folder
