"""The order of samples within one entry: pass after pass, each a seeded permutation."""

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curate.blend.mixing import Words, mix_words
from curate.contract.ids import seed_for

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Queue:
    """What may be drawn of one entry, in order."""

    rows: Ints
    """Rows of the pool, [samples]."""
    repeats: npt.NDArray[np.int32]
    """Number of the pass, 0 for a sample's first use, [samples]."""
    sizes: Ints
    """Amount of each sample in the unit of the blend, [samples]."""


def hash_doc_ids(doc_ids: list[str]) -> Words:
    """Return 64 well-mixed bits per document id, the only thing of it that the order depends on."""
    digests = b"".join(hashlib.sha256(doc_id.encode()).digest()[:8] for doc_id in doc_ids)
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64)


def build_queue(rows: Ints, sizes: Ints, hashes: Words, *, seed: int, amount: int, max_repeats: int) -> Queue:
    """Queue an entry's samples until ``amount`` is reached or every pass is used up.

    A pass takes every sample once before any is taken again. Its order depends on the seed, the number of the pass and
    the document ids alone: not on how the pool is listed or partitioned, nor on what other entries there are.

    Args:
        rows: Rows of the pool, sorted by doc_id, [N].
        sizes: Amount of each, [N].
        hashes: ``hash_doc_ids`` of each, [N].
        seed: Of the blend.
        amount: To be reached.
        max_repeats: Largest number of passes.
    """
    per_pass = int(sizes.sum())
    num_passes = max_repeats if per_pass == 0 else min(max_repeats, -(-amount // per_pass))
    orders = [_permute(hashes, seed=seed, number=number) for number in range(num_passes)]
    order = np.concatenate(orders) if orders else np.empty(0, dtype=np.int64)
    repeats = np.repeat(np.arange(num_passes, dtype=np.int32), len(rows))
    return Queue(rows=rows[order], repeats=repeats, sizes=sizes[order])


def _permute(hashes: Words, *, seed: int, number: int) -> Ints:
    """Sort by a fresh hash; equal hashes stay in the order of doc_id."""
    keys = mix_words(hashes ^ np.uint64(seed_for(seed, f"pass {number}")))
    return np.argsort(keys, kind="stable").astype(np.int64)
