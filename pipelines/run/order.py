"""The order of a shard set, as each partition sees it: which of its documents stand where."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.contract.schemas import BLEND_ORDER
from pipelines.run.context import RunContext
from pipelines.run.manifest import FOLD_PARTITIONS
from pipelines.run.splits import read_part, write_split

Ints = npt.NDArray[np.integer]
CHUNK = 1 << 20
"""Samples that are hashed at a time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """S samples of a pool of N documents, in the order of their set."""

    rows: Ints
    """[S] of the pool."""
    repeats: Ints
    """[S] 0 for a document's first use."""
    shards: Ints
    """[S] number of the shard, rising."""
    starts: Ints
    """[P + 1] first pool row of each partition, and N."""

    def digest(self, hashes: npt.NDArray[np.uint64]) -> str:
        """Return a hash of the documents, their repeats and their shards.

        Args:
            hashes: [N] of the pool's doc_ids.
        """
        sha256 = hashlib.sha256()
        for start in range(0, len(self.rows), CHUNK):
            part = slice(start, start + CHUNK)
            sha256.update(hashes[self.rows[part]].tobytes())
            sha256.update(self.repeats[part].astype(np.int32).tobytes())
            sha256.update(self.shards[part].astype(np.int32).tobytes())
        return sha256.hexdigest()


def write_order(context: RunContext, name: str, order: Order, *, made_from: str) -> None:
    """Write what a shard set takes of each partition, in split files of a fold each.

    Args:
        context: The run.
        name: Of the shard set.
        order: Of the set.
        made_from: Its digest.
    """
    starts = order.starts
    by_row = np.argsort(order.rows, kind="stable")
    sorted_rows = order.rows[by_row]
    for fold, (first, last) in enumerate(_edges(len(starts) - 1)):
        begin, end = np.searchsorted(sorted_rows, starts[[first, last]])
        places = np.sort(by_row[begin:end])
        rows = order.rows[places].astype(np.int64)
        partitions = np.searchsorted(starts, rows, side="right") - 1
        columns = [
            pa.array(places, pa.int64()),
            pa.array(order.shards[places], pa.int32()),
            pa.array(rows - starts[partitions], pa.int32()),
            pa.array(order.repeats[places], pa.int32()),
        ]
        write_split(
            order_path(context, name, fold),
            pa.table(columns, schema=BLEND_ORDER),
            partitions - first,
            num_parts=last - first,
            schema=BLEND_ORDER,
            made_from=made_from,
        )


def read_order(context: RunContext, name: str, partition: int) -> pa.Table:
    """Return what a shard set takes of a partition, in the order of the set: BLEND_ORDER.

    Args:
        context: The run.
        name: Of the shard set.
        partition: Its number.
    """
    fold, part = divmod(partition, FOLD_PARTITIONS)
    return read_part(order_path(context, name, fold), part)


def order_path(context: RunContext, name: str, fold: int) -> str:
    """Return where the order of a fold lies."""
    return context.folder.file("blend", "order", name, f"{fold:05d}.arrow")


def _edges(num_partitions: int) -> Iterator[tuple[int, int]]:
    for first in range(0, num_partitions, FOLD_PARTITIONS):
        yield first, min(first + FOLD_PARTITIONS, num_partitions)
