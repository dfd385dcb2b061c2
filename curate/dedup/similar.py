"""Pairs of images whose embeddings are similar, exactly: all that there are, found block by block.

Whether two images are similar must not depend on what else is compared at the same time, but the last digits of a
matrix product do. So FAISS only proposes pairs, with a margin, and one sum per pair in float64 decides.

A proposal need not look at all D values. Turn all embeddings by the same rotation, keep the first k values of each as
x and the length of the rest as r. By Cauchy and Schwarz the product of two embeddings is at most x1 . x2 + r1 r2,
which is itself an inner product, of k + 1 values: no pair is missed, whatever the rotation. One along the principal
axes of a sample makes the bound tight, so that few proposals are in vain.

B = images of a block, D = width of an embedding.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.errors import SchemaError
from curate.contract.schemas import SIMILAR_IMAGES
from curate.dedup.faiss_build import import_faiss

Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]

MARGIN = 1e-3
"""How far below the threshold a proposed cosine may be: float32 sums of 2,000 products err by less than 1e-5."""

ROUNDING = 1e-6
"""Unit vectors in float32 have lengths that are off by so little; a threshold of 1 must still find equal embeddings."""

PROPOSED_WIDTH = 128
"""Values that a proposal looks at: k + 1."""
QUERY_NUM_IMAGES = 1024
"""Searched for at a time: of a block of near copies every pair is an answer."""
PAIRS_AT_A_TIME = 16_384
"""Whose embeddings are gathered for the sums that decide."""


def read_vectors(embeddings: pa.ChunkedArray) -> tuple[Vectors, Flags]:
    """Return list<float16> embeddings [B] as unit vectors [B, D], zeros where there is none to compare, and where not.

    Raises:
        SchemaError: Embeddings of different widths.
    """
    there = embeddings.is_valid().to_numpy()
    widths = pc.unique(pc.list_value_length(embeddings.drop_null())).to_pylist()
    if len(widths) > 1:
        raise SchemaError(f"dedup: embeddings of different widths {sorted(widths)}; were they made by one model?")
    rows = np.zeros((len(embeddings), widths[0] if widths else 0), dtype=np.float16)
    flat = pc.list_flatten(embeddings).to_numpy().astype(np.float16)
    rows[there] = flat.reshape(int(there.sum()), rows.shape[1])
    return unit_vectors(rows)


def unit_vectors(embeddings: npt.NDArray[np.float16]) -> tuple[Vectors, Flags]:
    """Return float16 embeddings [B, D] as float32 of unit length, and which rows [B] can be compared.

    A row with a NaN, or of length zero, cannot.
    """
    vectors = embeddings.astype(np.float32)
    lengths = np.sqrt(np.square(vectors, dtype=np.float64).sum(axis=1))
    usable = np.isfinite(lengths) & (lengths > 0)
    scaled = np.divide(vectors, lengths[:, None], where=usable[:, None], out=np.zeros(vectors.shape, dtype=np.float64))
    return scaled.astype(np.float32), usable


def principal_axes(sample: Vectors) -> Vectors:
    """Return a rotation [D, D] whose first columns hold most of the length of vectors like the sample's [B, D]."""
    _, axes = np.linalg.eigh(sample.T.astype(np.float64) @ sample.astype(np.float64))
    return np.ascontiguousarray(axes[:, ::-1], dtype=np.float32)


def shorten(vectors: Vectors, axes: Vectors, *, width: int = PROPOSED_WIDTH) -> Vectors:
    """Return vectors whose products are at least those of unit vectors [B, D], but for rounding: [B, min(width, D)]."""
    if vectors.shape[1] <= width:
        return vectors
    turned = vectors @ axes[:, : width - 1]
    rest = 1 - np.square(turned, dtype=np.float64).sum(axis=1)
    return np.ascontiguousarray(np.column_stack([turned, np.sqrt(rest.clip(0))]), dtype=np.float32)


def cosines(first: Vectors, second: Vectors) -> npt.NDArray[np.float64]:
    """Return the products of unit vectors [P, D] row by row, the same in whatever company they are asked for."""
    found: npt.NDArray[np.float64] = np.sum(first.astype(np.float64) * second.astype(np.float64), axis=1)
    return found


def find_similar(
    earlier: tuple[Ints, Vectors], later: tuple[Ints, Vectors], axes: Vectors, *, threshold_cosine: float
) -> pa.Table:
    """Return SIMILAR_IMAGES between two blocks, or within one: sorted by first, then second image.

    Args:
        earlier: Numbers [B], rising, and unit vectors [B, D] of a block.
        later: Those of a block behind it, or the same.
        axes: A rotation [D, D].
        threshold_cosine: Least cosine of two similar images, but for rounding.

    Raises:
        SchemaError: Embeddings of different widths.
        CurateError: Not exactly one build of FAISS is installed.
    """
    (numbers, vectors), (later_numbers, later_vectors) = earlier, later
    found = [SIMILAR_IMAGES.empty_table()]
    if len(vectors) and len(later_vectors):
        if vectors.shape[1] != later_vectors.shape[1]:
            raise SchemaError(f"dedup: embeddings of width {later_vectors.shape[1]} after width {vectors.shape[1]}")
        proposals = _propose(shorten(vectors, axes), shorten(later_vectors, axes), threshold_cosine - MARGIN)
        for rows, later_rows in proposals:
            is_later = numbers[rows] < later_numbers[later_rows]
            own, other = rows[is_later], later_rows[is_later]
            cosine = cosines(vectors[own], later_vectors[other])
            near = cosine >= threshold_cosine - ROUNDING
            columns = [numbers[own][near], later_numbers[other][near], cosine[near]]
            found.append(pa.table([pa.array(column) for column in columns], schema=SIMILAR_IMAGES))
    return pa.concat_tables(found).sort_by([("first", "ascending"), ("second", "ascending")])


def _propose(indexed: Vectors, queries: Vectors, least: float) -> Iterator[tuple[Ints, Ints]]:
    """Yield rows of ``indexed`` and of ``queries`` whose product may reach ``least``, some pairs at a time."""
    faiss = import_faiss()
    faiss.omp_set_num_threads(
        1
    )  # a worker has one core to itself; Dask says so by OMP_NUM_THREADS, which FAISS reads once
    index = faiss.IndexFlatIP(indexed.shape[1])
    index.add(indexed)
    for start in range(0, len(queries), QUERY_NUM_IMAGES):
        limits, _, rows = index.range_search(queries[start : start + QUERY_NUM_IMAGES], least)
        query = start + np.repeat(np.arange(len(limits) - 1), np.diff(limits.astype(np.int64)))
        for place in range(0, len(rows), PAIRS_AT_A_TIME):
            stop = place + PAIRS_AT_A_TIME
            yield rows[place:stop].astype(np.int64), query[place:stop].astype(np.int64)
