"""Rows of an index one at a time, for loaders that read thousands of samples per second.

``Table.to_pylist`` builds Arrow objects for each row that is asked for, a hundred microseconds, which is more than a
sample takes to be read. Here numbers come off arrays that share the table's memory, which may be mapped from a file.
"""

from bisect import bisect_right
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa

_TEXTS = ("key", "shard", "doc_id")
_NUMBERS = ("offset", "num_bytes")


class SamplePlaces:
    """What ``ShardReader.read`` needs of each sample of an index, and its doc_id."""

    def __init__(self, index: pa.Table) -> None:
        batches = index.select([*_TEXTS, *_NUMBERS, "parts"]).to_batches()
        self._starts = list(accumulate((batch.num_rows for batch in batches), initial=0))
        self._batches = [_BatchPlaces(batch) for batch in batches]

    def row(self, number: int) -> dict[str, Any]:
        """Return key, shard, doc_id, offset, num_bytes and parts of one row, as ``to_pylist`` would."""
        place = bisect_right(self._starts, number) - 1
        return self._batches[place].row(number - self._starts[place])


class _BatchPlaces:
    def __init__(self, batch: pa.RecordBatch) -> None:
        self._texts = [batch[name] for name in _TEXTS]
        self._offsets, self._sizes = (np.asarray(batch[name]) for name in _NUMBERS)
        parts = batch["parts"]
        self._part_bounds = np.asarray(parts.offsets)
        self._part_names = parts.values.field("name")
        self._part_offsets, self._part_sizes = (np.asarray(parts.values.field(name)) for name in _NUMBERS)

    def row(self, number: int) -> dict[str, Any]:
        first, last = self._part_bounds[number : number + 2].tolist()
        offsets, sizes = self._part_offsets[first:last].tolist(), self._part_sizes[first:last].tolist()
        key, shard, doc_id = (column[number].as_py() for column in self._texts)
        return {
            "key": key,
            "shard": shard,
            "doc_id": doc_id,
            "offset": int(self._offsets[number]),
            "num_bytes": int(self._sizes[number]),
            "parts": [
                {"name": self._part_names[place].as_py(), "offset": offset, "num_bytes": size}
                for place, offset, size in zip(range(first, last), offsets, sizes, strict=True)
            ],
        }
