"""Deduplication in input order: the first of several copies stays.

An image is removed only if it is a copy of an image that is itself kept (the star rule). Chains do not count: where A
is like B and B like C, but A is not like C, removing B for A leaves C. Joining all three would throw away images unlike
anything that is kept.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curate.contract.reasons import Reason
from curate.dedup.blocks import Block, split_blocks
from curate.dedup.config import DedupConfig
from curate.dedup.similar import ROUNDING, KeptImages, Vectors, cosine, propose_within

Accept = Callable[[str, list[int]], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class Duplicate:
    """One image that is a copy of a kept one."""

    doc_id: str
    position: int
    reason: Reason
    """``dedup.exact`` or ``dedup.cosine``."""
    original: str
    """The kept image, as ``doc_id:position``: the most similar one, the first of equals."""


class OrderedDedup:
    """Remembers every kept image and finds the copies among new ones.

    The result depends on the order of the documents only, not on how they are divided over calls.
    """

    def __init__(self, config: DedupConfig, *, num_threads: int = 1) -> None:
        """Start with nothing remembered.

        Args:
            config: What counts as a copy.
            num_threads: CPU threads of the similarity search.

        Raises:
            CurateError: Similarity is asked for, and not exactly one build of FAISS is installed.
        """
        self._exact = config.image.exact
        self._names: dict[str, str] = {}
        """image_id -> name of the kept image with these bytes."""
        self._similar: _SimilarCopies | None = None
        if config.image.cosine is not None:
            self._similar = _SimilarCopies(threshold_cosine=config.image.cosine, num_threads=num_threads)

    def decide(self, candidates: pa.Table, *, accept: Accept) -> list[Duplicate]:
        """Find the copies among the images of the next documents.

        Args:
            candidates: doc_id, position, image_id, embedding (list<float16>; null = compared by bytes only), in input
                order. A document's rows stand together and are never divided over calls.
            accept: Asked once per document in ``candidates``, in order, with the positions that are left of it. The
                images of a document that it refuses are not remembered, so they take nothing from later documents.

        Returns:
            The copies, in input order.

        Raises:
            SchemaError: Embeddings of different widths.
        """
        found: list[Duplicate] = []
        for block in split_blocks(candidates, with_vectors=self._similar is not None):
            if self._similar is not None:
                self._similar.open_block(block)
            for doc_id, rows in block.documents():
                duplicates, left = self._compare_document(rows, block)
                found.extend(duplicates)
                accepted = accept(doc_id, [block.candidates[row].position for row in left])
                self._settle(left, block, accepted=accepted)
            if self._similar is not None:
                self._similar.close_block()
        return found

    def _compare_document(self, rows: list[int], block: Block) -> tuple[list[Duplicate], list[int]]:
        """Return the copies among a document's rows, and the rows that are none."""
        duplicates: list[Duplicate] = []
        left: list[int] = []
        names_within: dict[str, str] = {}
        for row in rows:
            candidate = block.candidates[row]
            original, reason = (
                self._names.get(candidate.image_id) or names_within.get(candidate.image_id),
                Reason.DEDUP_EXACT,
            )
            if original is None and self._similar is not None:
                original, reason = self._similar.find_or_keep(row), Reason.DEDUP_COSINE
            if original is None:
                left.append(row)
                if self._exact:
                    names_within[candidate.image_id] = candidate.name
                continue
            duplicates.append(
                Duplicate(doc_id=candidate.doc_id, position=candidate.position, reason=reason, original=original)
            )
        return duplicates, left

    def _settle(self, left: list[int], block: Block, *, accepted: bool) -> None:
        """Remember what is left of a document, or forget it."""
        if accepted and self._exact:
            self._names.update({block.candidates[row].image_id: block.candidates[row].name for row in left})
        if self._similar is not None and not accepted:
            self._similar.forget(left)


class _SimilarCopies:
    """The part of the memory that compares embeddings: kept images of earlier blocks, and the open block's own."""

    def __init__(self, *, threshold_cosine: float, num_threads: int) -> None:
        self._threshold = threshold_cosine
        self._kept = KeptImages(threshold_cosine=threshold_cosine, num_threads=num_threads)
        self._kept_names: list[str] = []

    def open_block(self, block: Block) -> None:
        """Search for the pairs of a block that have to be looked at."""
        self._block = block
        self._alive = np.zeros(len(block.candidates), dtype=np.bool_)
        self._in_kept = self._kept.propose(block.vectors)
        self._in_block = propose_within(block.vectors, threshold_cosine=self._threshold)

    def find_or_keep(self, row: int) -> str | None:
        """Return the name of the kept image that a row of the open block is most like.

        Where none is like it, the row itself counts as kept from then on, and the answer is None.
        """
        vector = self._block.vectors[row]
        # Kept images of earlier blocks come first in the input, so the first of equals is the earliest.
        pairs: list[tuple[str, Vectors]] = [
            (self._kept_names[i], self._kept.vector(int(i))) for i in self._in_kept[row]
        ]
        earlier = self._in_block[row]
        pairs += [(self._block.candidates[i].name, self._block.vectors[i]) for i in earlier[self._alive[earlier]]]
        best_name, best_cosine = None, self._threshold - ROUNDING
        for name, other in pairs:
            found = cosine(vector, other)
            if found > best_cosine or (best_name is None and found == best_cosine):
                best_name, best_cosine = name, found
        if best_name is not None:
            return best_name
        self._alive[row] = self._block.usable[row]
        return None

    def forget(self, rows: list[int]) -> None:
        """Take rows of the open block back: their document was refused."""
        self._alive[rows] = False

    def close_block(self) -> None:
        """Add what is kept of the open block to the index."""
        self._kept.add(self._block.vectors[self._alive])
        self._kept_names.extend(self._block.candidates[i].name for i in np.flatnonzero(self._alive))
