"""Search for kept images that are similar to new ones.

Whether two images are similar must not depend on what else is compared at the same time, but the last digits of a
matrix product do. So FAISS and numpy only propose pairs, with a margin, and one sum per pair in float64 decides.

B = images of a block, D = width of an embedding.
"""

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.contract.errors import SchemaError
from curate.dedup.faiss_build import import_faiss

Vectors = npt.NDArray[np.float32]

MARGIN = 1e-3
"""How far below the threshold a proposed cosine may be: float32 sums of 2,000 products err by less than 1e-5."""

ROUNDING = 1e-6
"""Unit vectors in float32 have lengths that are off by so little; a threshold of 1 must still find equal embeddings."""


class KeptImages:
    """The embeddings of all images kept so far, by the number each was given when it was added: 0, 1, 2, ..."""

    def __init__(self, *, threshold_cosine: float, num_threads: int) -> None:
        """Start empty.

        Args:
            threshold_cosine: Least cosine of two similar images.
            num_threads: CPU threads of a search. FAISS would take all, or one under Dask, which sets OMP_NUM_THREADS.
        """
        self._faiss = import_faiss()
        self._threshold = threshold_cosine
        self._num_threads = num_threads
        self._index: Any = None

    def propose(self, vectors: Vectors) -> list[npt.NDArray[np.int64]]:
        """Return per row of [B, D] unit vectors the numbers of kept images that may be similar, in rising order.

        Raises:
            SchemaError: The kept embeddings have another width.
        """
        if self._index is None or vectors.size == 0:
            return [np.zeros(0, dtype=np.int64)] * len(vectors)
        if vectors.shape[1] != self._index.d:
            raise SchemaError(f"dedup: embeddings of width {vectors.shape[1]} after width {self._index.d}")
        self._faiss.omp_set_num_threads(self._num_threads)
        limits, _, numbers = self._index.range_search(vectors, self._threshold - MARGIN)
        edges = limits.astype(np.int64)
        return [np.sort(numbers[start:end]) for start, end in pairwise(edges)]

    def add(self, vectors: Vectors) -> None:
        """Add [B, D] unit vectors."""
        if vectors.size == 0:
            return
        if self._index is None:
            self._index = self._faiss.IndexFlatIP(vectors.shape[1])
        self._index.add(vectors)

    def vector(self, number: int) -> Vectors:
        """Return the embedding [D] of a kept image."""
        found: Vectors = self._index.reconstruct(number)
        return found


def propose_within(vectors: Vectors, *, threshold_cosine: float) -> list[npt.NDArray[np.int64]]:
    """Return per row of [B, D] unit vectors the earlier rows that may be similar, in rising order."""
    near = np.tril(vectors @ vectors.T >= threshold_cosine - MARGIN, k=-1)
    return [np.flatnonzero(row) for row in near]


def cosine(first: Vectors, second: Vectors) -> float:
    """Return the dot product of two unit vectors [D], the same in whatever company it is asked for."""
    return float(np.sum(first.astype(np.float64) * second.astype(np.float64)))


def unit_vectors(embeddings: npt.NDArray[np.float16]) -> tuple[Vectors, npt.NDArray[np.bool_]]:
    """Return float16 embeddings [B, D] as float32 of unit length, and which rows [B] can be compared.

    A row with a NaN, or of length zero, cannot.
    """
    vectors = embeddings.astype(np.float32)
    lengths = np.sqrt(np.square(vectors, dtype=np.float64).sum(axis=1))
    usable = np.isfinite(lengths) & (lengths > 0)
    scaled = np.divide(vectors, lengths[:, None], where=usable[:, None], out=np.zeros(vectors.shape, dtype=np.float64))
    return scaled.astype(np.float32), usable
