"""The order of samples within one entry: pass after pass, each a seeded permutation."""

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curate.blend.chunks import Integers, Rows, chunks, take
from curate.blend.mixing import Words, mix_words
from curate.blend.sorting import sort_words
from curate.contract.ids import seed_for


@dataclass(frozen=True, kw_only=True, slots=True)
class Queue:
    """What may be drawn of one entry, in order."""

    rows: Rows
    """Rows of the pool, [samples]."""
    sizes: Integers
    """Amount of each sample in the unit of the blend, [samples]."""
    per_pass: int
    """Samples of a pass."""

    def repeats(self, start: int, stop: int) -> npt.NDArray[np.int32]:
        """Return the number of the pass of the samples from ``start`` to ``stop``: 0 for a sample's first use."""
        return (np.arange(start, stop) // max(1, self.per_pass)).astype(np.int32)


def hash_doc_ids(doc_ids: list[str]) -> Words:
    """Return 64 well-mixed bits per document id, the only thing of it that the order depends on."""
    digests = b"".join(hashlib.sha256(doc_id.encode()).digest()[:8] for doc_id in doc_ids)
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64)


def build_queue(rows: Rows, sizes: Integers, hashes: Words, *, seed: int, amount: int, max_repeats: int) -> Queue:
    """Queue an entry's samples until ``amount`` is reached or every pass is used up.

    A pass takes every sample once before any is taken again. Its order depends on the seed, the number of the pass and
    the document ids alone: not on how the pool is listed or partitioned, nor on what other entries there are.

    Args:
        rows: Rows of the pool, sorted by hash, [N].
        sizes: Amount of each row of the pool.
        hashes: ``hash_doc_ids`` of each row of the pool.
        seed: Of the blend.
        amount: To be reached.
        max_repeats: Largest number of passes.
    """
    per_pass = int(take(sizes, rows).sum())
    num_passes = max_repeats if per_pass == 0 else min(max_repeats, -(-amount // per_pass))
    queued = np.empty(num_passes * len(rows), dtype=np.uint32)
    for number in range(num_passes):
        order = _permute(rows, hashes, seed=seed, number=number)
        queued[number * len(rows) : (number + 1) * len(rows)] = take(rows, order)
    return Queue(rows=queued, sizes=take(sizes, queued), per_pass=len(rows))


def _permute(rows: Rows, hashes: Words, *, seed: int, number: int) -> Rows:
    """Return the places of ``rows`` by a fresh hash; equal hashes stay in the order of doc_id."""
    seed_word, keys = np.uint64(seed_for(seed, f"pass {number}")), np.empty(len(rows), dtype=np.uint64)
    for part in chunks(len(rows)):
        keys[part] = mix_words(hashes[rows[part]] ^ seed_word)
    return sort_words(keys)
