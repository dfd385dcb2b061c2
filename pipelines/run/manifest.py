"""The manifest of a run: its partitions in input order, and what the facts of each hold.

A decision, a proposal of pairs and a shard set are made from the manifest: one file says whether anything has changed,
however many partitions there are.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from curate.contract.errors import CurateError
from curate.contract.schemas import table_from_rows
from pipelines.run.context import RunContext
from pipelines.run.tables import MANIFEST

FOLD_PARTITIONS = 64
"""Partitions that one task of a shuffle reads or writes for: fewer would make more files, more would take longer."""
GROUP_PARTITIONS = 8
"""That one task decides or counts: one alone takes less time than the scheduler."""
FOLDS_PER_BUCKET = 8
"""A bucket then holds about a million rows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fold:
    """Neighbouring partitions that one task looks at."""

    number: int
    start: int
    """Number of its first partition."""
    partitions: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of files that it writes."""
        return f"{self.number:05d}"


def cut_folds(partitions: Sequence[str], *, size: int = FOLD_PARTITIONS) -> list[Fold]:
    """Divide partitions into folds."""
    return [
        Fold(number=number, start=start, partitions=tuple(partitions[start : start + size]))
        for number, start in enumerate(range(0, len(partitions), size))
    ]


def count_buckets(num_folds: int) -> int:
    """Return into how many buckets the rows of so many folds are divided."""
    return max(1, -(-num_folds // FOLDS_PER_BUCKET))


@dataclass(frozen=True)
class Manifest:
    """Every partition of a measured run."""

    table: pa.Table
    """Schema MANIFEST."""

    @cached_property
    def partitions(self) -> tuple[str, ...]:
        """Return the names in input order."""
        return tuple(self.table["partition"].to_pylist())

    @property
    def num_docs(self) -> int:
        """Return the number of documents of the run."""
        return int(sum(self.table["num_docs"].to_pylist()))

    def digest(self, *columns: str) -> str:
        """Return a hash of the names and of some columns: what is made from these is made from it."""
        sha256 = hashlib.sha256()
        for row in self.table.select(["partition", *columns]).to_pylist():
            sha256.update("\0".join((*map(str, row.values()), "\n")).encode())
        return sha256.hexdigest()


def write_manifest(context: RunContext, rows: Iterable[dict[str, object]]) -> Manifest:
    """Write the manifest of a run.

    Args:
        context: The run.
        rows: Of MANIFEST, in input order.
    """
    table = table_from_rows(list(rows), MANIFEST.schema)
    context.folder.write(MANIFEST, rows=table, made_from="measured")
    return Manifest(table)


def load_manifest(context: RunContext) -> Manifest:
    """Return the manifest of a measured run.

    Raises:
        CurateError: The folder holds none.
    """
    if context.folder.stamp(MANIFEST) is None:
        raise CurateError(f"{context.folder.root}: no finished run here; start one with `curate run`")
    return Manifest(context.folder.read(MANIFEST))
