"""Candidates in blocks of whole documents, each with the pairs that have to be looked at."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.errors import SchemaError
from curate.dedup.similar import Vectors, unit_vectors

BLOCK_NUM_IMAGES = 1024
"""Images that are searched for together; more would make the table of their own pairs large."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """One image that may be a copy."""

    doc_id: str
    position: int
    image_id: str

    @property
    def name(self) -> str:
        """How it is called as an original."""
        return f"{self.doc_id}:{self.position}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """B candidates of whole documents, in input order; D is the width of an embedding."""

    candidates: list[Candidate]
    vectors: Vectors
    """[B, D] of unit length; zeros where there is no embedding."""
    usable: npt.NDArray[np.bool_]
    """[B] whether there is one."""

    def documents(self) -> Iterator[tuple[str, list[int]]]:
        """Yield each document with its rows in the block."""
        rows = range(len(self.candidates))
        for doc_id, of_document in groupby(rows, key=lambda row: self.candidates[row].doc_id):
            yield doc_id, list(of_document)


def split_blocks(candidates: pa.Table, *, with_vectors: bool) -> Iterator[Block]:
    """Divide candidates into blocks of at least ``BLOCK_NUM_IMAGES`` rows, the last one aside.

    Args:
        candidates: doc_id, position, image_id, embedding.
        with_vectors: Whether embeddings are read at all.

    Raises:
        SchemaError: Embeddings of different widths.
    """
    keys = [Candidate(**row) for row in candidates.select(["doc_id", "position", "image_id"]).to_pylist()]
    start = 0
    for end in _block_ends(keys):
        rows = candidates["embedding"].slice(start, end - start)
        vectors, usable = _read_vectors(rows) if with_vectors else _no_vectors(len(rows))
        yield Block(candidates=keys[start:end], vectors=vectors, usable=usable)
        start = end


def _block_ends(keys: list[Candidate]) -> Iterator[int]:
    start = 0
    for row in range(1, len(keys) + 1):
        at_border = row == len(keys) or keys[row].doc_id != keys[row - 1].doc_id
        if row == len(keys) or (at_border and row - start >= BLOCK_NUM_IMAGES):
            yield row
            start = row


def _no_vectors(num_rows: int) -> tuple[Vectors, npt.NDArray[np.bool_]]:
    return np.zeros((num_rows, 0), dtype=np.float32), np.zeros(num_rows, dtype=np.bool_)


def _read_vectors(embeddings: pa.ChunkedArray) -> tuple[Vectors, npt.NDArray[np.bool_]]:
    """Return unit vectors [B, D] and which rows have one."""
    there = embeddings.is_valid().to_numpy()
    widths = pc.unique(pc.list_value_length(embeddings.drop_null())).to_pylist()
    if len(widths) > 1:
        raise SchemaError(f"dedup: embeddings of different widths {sorted(widths)}; were they made by one model?")
    rows = np.zeros((len(embeddings), widths[0] if widths else 0), dtype=np.float16)
    flat = pc.list_flatten(embeddings).to_numpy().astype(np.float16)
    rows[there] = flat.reshape(int(there.sum()), rows.shape[1])
    return unit_vectors(rows)
