"""The pool of a blend as arrays: about 30 bytes for each document, and no string of any."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.blend.covering import Group
from curate.blend.mixing import Words
from curate.contract.errors import BlendError
from curate.contract.schemas import POOL, check_schema

COLUMNS: dict[str, np.dtype[Any]] = {
    "hash": np.dtype(np.uint64),
    "num_images": np.dtype(np.uint32),
    "num_words": np.dtype(np.uint32),
    "num_chars": np.dtype(np.uint32),
    "num_bytes": np.dtype(np.int64),
}
"""Columns of schema POOL that become arrays, and what they are held as."""
MAX_GROUPS = 1 << 16


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Pool:
    """N documents that may be used, each once; their listing order does not matter to a blend."""

    hashes: Words
    """``curate.blend.queues.hash_doc_ids`` of each, [N]: the order of samples depends on it alone."""
    groups: npt.NDArray[np.uint16]
    """Place of each in ``group_names``, [N]."""
    num_images: npt.NDArray[np.uint32]
    """Kept ones, [N]."""
    num_words: npt.NDArray[np.uint32]
    """[N]."""
    num_chars: npt.NDArray[np.uint32]
    """[N]."""
    num_bytes: npt.NDArray[np.int64]
    """Stored image bytes and UTF-8 text, [N]."""
    group_names: tuple[Group, ...]
    """(source, kind) of which there are documents."""
    partitions: tuple[str, ...]
    """Names, in the order of their rows; [P]."""
    starts: npt.NDArray[np.int64]
    """Rows of partition p are ``starts[p]`` up to ``starts[p + 1]``, [P + 1]."""

    @property
    def num_documents(self) -> int:
        """N."""
        return len(self.hashes)


def read_pool(tables: Iterable[tuple[str, pa.Table]]) -> Pool:
    """Return the pool of a run, taking up one table after the other.

    Args:
        tables: Partitions, in order: name and rows of schema POOL.

    Raises:
        SchemaError: A table that has another schema.
        BlendError: A count below zero or beyond its array's width, or more sources and kinds than there can be.
    """
    columns = {name: bytearray() for name in COLUMNS}  # they grow where they are, unlike arrays
    groups, numbers = bytearray(), dict[Group, int]()
    partitions, starts = list[str](), [0]
    for partition, table in tables:
        check_schema(table, POOL, where=f"pool of {partition}")
        for name, dtype in COLUMNS.items():
            values = table[name].combine_chunks().to_numpy()
            _check_range(values, table["doc_id"], name, dtype)
            columns[name] += values.astype(dtype).tobytes()
        groups += _number_groups(table, numbers).tobytes()
        partitions.append(partition)
        starts.append(starts[-1] + table.num_rows)
    arrays: dict[str, Any] = {name: np.frombuffer(columns[name], dtype) for name, dtype in COLUMNS.items()}
    return Pool(
        hashes=arrays.pop("hash"),
        groups=np.frombuffer(groups, np.uint16),
        group_names=tuple(numbers),
        partitions=tuple(partitions),
        starts=np.array(starts, dtype=np.int64),
        **arrays,
    )


def _check_range(values: npt.NDArray[Any], doc_ids: pa.ChunkedArray, name: str, dtype: np.dtype[Any]) -> None:
    limit = np.iinfo(dtype).max
    wrong = np.flatnonzero((values < 0) | (values > limit))
    if len(wrong):
        document, value = doc_ids[int(wrong[0])].as_py(), values[wrong[0]]
        raise BlendError(f"document {document} has {name} {value}; it must be within 0 and {limit}")


def _number_groups(table: pa.Table, numbers: dict[Group, int]) -> npt.NDArray[np.uint16]:
    """Return the number of each row's (source, kind); new ones get the next."""
    sources, kinds = (table[name].combine_chunks().dictionary_encode() for name in ("source", "kind"))
    source_names, kind_names = sources.dictionary.to_pylist(), kinds.dictionary.to_pylist()
    codes = sources.indices.to_numpy().astype(np.int64) * len(kind_names) + kinds.indices.to_numpy()
    found, places = np.unique(codes, return_inverse=True)
    names = [(source_names[code // len(kind_names)], kind_names[code % len(kind_names)]) for code in found.tolist()]
    own = [numbers.setdefault(name, len(numbers)) for name in names]
    if len(numbers) > MAX_GROUPS:
        raise BlendError(f"more than {MAX_GROUPS:,} sources and kinds together: a blend cannot tell them apart")
    return np.array(own, dtype=np.uint16)[places]
