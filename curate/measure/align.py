"""Which text item an image belongs to: a one-to-one assignment by similarity.

MMC4 (arXiv 2304.06939, section 3) solves the linear assignment problem between a document's images and sentences, so
that images spread over the text: against taking each image's best sentence, 34 % instead of 22 % of the sentences get
an image at nearly the same mean similarity. Images that are left over when there are more of them than sentences go to
their best sentence.
"""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy.optimize import linear_sum_assignment

from curate.contract.errors import SchemaError

Ints = npt.NDArray[np.int64]

UNMATCHED = -1
"""The assignment of an image that no sentence can be given to."""


def assign(similarity: npt.NDArray[np.floating]) -> Ints:
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


def match_documents(documents: Ints, similarity: pa.ListArray, text_positions: pa.ListArray) -> tuple[Ints, Ints]:
    """Match the kept images of every document with its text items.

    Args:
        documents: [I] document of each image, rising.
        similarity: list<float16> [I] cosine to each text item of its document; null where it was not measured.
        text_positions: list<int32> [N] positions of each document's text items.

    Returns:
        [I] the position of each image's text item, and [I] its place among the text items; -1 where a document has no
        text to match.

    Raises:
        SchemaError: An image has not as many similarities as its document has text items.
    """
    widths = pc.fill_null(pc.list_value_length(similarity), -1).to_numpy(zero_copy_only=False).astype(np.int64)
    num_texts = pc.list_value_length(text_positions).to_numpy(zero_copy_only=False).astype(np.int64)[documents]
    if ((widths >= 0) & (widths != num_texts)).any():
        wrong = int(np.flatnonzero((widths >= 0) & (widths != num_texts))[0])
        raise SchemaError(f"image {wrong}: {widths[wrong]} similarities, but {num_texts[wrong]} text items")
    places = np.full(len(documents), UNMATCHED, dtype=np.int64)
    rows = np.flatnonzero(widths > 0)
    flat = pc.list_flatten(similarity).to_numpy(zero_copy_only=False).astype(np.float16)
    ends = np.cumsum(widths[rows])
    borders = np.flatnonzero(np.diff(documents[rows], prepend=-1, append=-1))
    for first, last in pairwise(borders.tolist()):
        width = widths[rows[first]]
        start = ends[first] - width
        places[rows[first:last]] = assign(flat[start : ends[last - 1]].reshape(last - first, width))
    return _positions(places, documents, text_positions), places


def _positions(places: Ints, documents: Ints, text_positions: pa.ListArray) -> Ints:
    """Return the position of each place among the text items of its document, -1 for none."""
    starts = text_positions.offsets.to_numpy()[:-1].astype(np.int64)
    flat = np.append(text_positions.values.to_numpy().astype(np.int64), UNMATCHED)
    found: Ints = flat[np.where(places == UNMATCHED, len(flat) - 1, starts[documents] + places)]
    return found
