"""Which text item an image belongs to: a one-to-one assignment by similarity.

MMC4 (arXiv 2304.06939, section 3) solves the linear assignment problem between a document's images and sentences, so
that images spread over the text: against taking each image's best sentence, 34 % instead of 22 % of the sentences get
an image at nearly the same mean similarity. Images that are left over when there are more of them than sentences go to
their best sentence.
"""

from itertools import groupby

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy.optimize import linear_sum_assignment

from curate.contract.errors import SchemaError
from curate.contract.reasons import Modality
from curate.contract.schemas import MATCHES

UNMATCHED = -1
"""The assignment of an image that no sentence can be given to."""


def assign(similarity: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
    """Assign each image a sentence so that the sum of similarities is largest.

    Args:
        similarity: [I, S] images by sentences, any float type, usually cosines. NaN means not comparable.

    Returns:
        [I] sentence indices. With I <= S all differ, unless NaN stands in the way; else each sentence is used once by
        the assignment and the images left over take their best sentence, the first of equals. -1 where an image has
        no comparable sentence. Equal input gives equal output, ties included.
    """
    scores = np.asarray(similarity, dtype=np.float64)
    num_images, num_sentences = scores.shape
    if num_images == 0 or num_sentences == 0:
        return np.full(num_images, UNMATCHED, dtype=np.int64)
    comparable = np.isfinite(scores)
    best = np.where(comparable, scores, -np.inf).argmax(axis=1)
    assigned = np.where(comparable.any(axis=1), best, UNMATCHED).astype(np.int64)
    rows, columns = linear_sum_assignment(_fill(scores, comparable), maximize=True)
    given = comparable[rows, columns]
    assigned[rows[given]] = columns[given]
    return assigned


def _fill(scores: npt.NDArray[np.float64], comparable: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Replace what is not comparable by a value so low that no sum gains by using it."""
    if comparable.all():
        return scores
    known = scores[comparable]
    low, high = (known.min(), known.max()) if known.size else (0.0, 0.0)
    return np.where(comparable, scores, low - (high - low + 1.0) * min(scores.shape))


def match_documents(clip: pa.Table, items: pa.Table) -> pa.Table:
    """Match the kept images of every document with its text items.

    Args:
        clip: CLIP_MEASURES of the kept images, a document's rows together.
        items: ITEMS of the same partition, in document order.

    Returns:
        MATCHES, a row per row of ``clip`` in the same order; position and similarity are null where a document has no
        text to match.

    Raises:
        SchemaError: A row has not as many similarities as its document has text items.
    """
    text_positions = _text_positions(items)
    doc_ids = clip["doc_id"].to_pylist()
    widths = pc.list_value_length(clip["similarity"]).to_numpy()
    flat = pc.list_flatten(clip["similarity"]).to_numpy().astype(np.float16)
    edges = np.concatenate([[0], np.cumsum(widths)]).astype(np.int64)
    end = 0
    matched_positions: list[int | None] = []
    matched_sims: list[np.float16 | None] = []
    for doc_id, rows in groupby(doc_ids):
        start, end = end, end + len(list(rows))
        positions = text_positions.get(doc_id, [])
        if (widths[start:end] != len(positions)).any():
            raise SchemaError(f"{doc_id}: {len(positions)} text items, similarities {widths[start:end]}")
        similarity = flat[edges[start] : edges[end]].reshape(end - start, len(positions))
        for row, column in zip(similarity, assign(similarity), strict=True):
            found = column != UNMATCHED
            matched_positions.append(positions[column] if found else None)
            matched_sims.append(row[column] if found else None)
    return pa.table(
        [
            clip["doc_id"],
            clip["position"],
            pa.array(matched_positions, pa.int32()),
            pa.array(matched_sims, pa.float16()),
        ],
        schema=MATCHES,
    )


def _text_positions(items: pa.Table) -> dict[str, list[int]]:
    """Return the positions of each document's text items, in order."""
    texts = items.filter(pc.equal(items["modality"], Modality.TEXT))
    positions: dict[str, list[int]] = {}
    for doc_id, position in zip(texts["doc_id"].to_pylist(), texts["position"].to_pylist(), strict=True):
        positions.setdefault(doc_id, []).append(position)
    return positions
