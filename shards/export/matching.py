"""Texts, images and similarities of a sample as the MMC4 family of formats numbers them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

UNSCORED = -1.0
"""Stands for a similarity that was not measured: the least cosine, which no reader takes for a match."""
TIE_BREAK = 1e-6
"""Added to the similarities of an assignment to make it the only best one; below the five decimals of stored scores."""

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class NumberedImage:
    """An image item with its places counted in sentences."""

    number: int
    """Among the sample's images, in natural order."""
    item: Mapping[str, Any]
    """As the record has it."""
    natural_text: int
    """Number of texts before the image."""
    matched_text: int | None
    """Index of the text that the image was matched to."""
    similarity: Sequence[float | None] | None
    """Cosine to each text."""


def number_items(record: Mapping[str, Any]) -> tuple[list[str], list[NumberedImage]]:
    """Return the texts and the images of a record, both in natural order."""
    texts: list[str] = []
    text_numbers: dict[int, int] = {}
    before: list[tuple[int, Mapping[str, Any]]] = []
    for place, item in enumerate(record["items"]):
        if item["type"] == "text":
            text_numbers[place] = len(texts)
            texts.append(item["text"])
        else:
            before.append((len(texts), item))
    rows = record.get("scores", {}).get("similarity") or [None] * len(before)
    images = [
        NumberedImage(
            number=number,
            item=item,
            natural_text=num_before,
            matched_text=text_numbers.get(item["matched_item"]),
            similarity=row,
        )
        for number, ((num_before, item), row) in enumerate(zip(before, rows, strict=True))
    ]
    return texts, images


def similarity_matrix(images: Sequence[NumberedImage], *, num_texts: int) -> Matrix:
    """Return [I, S] cosines; what was not measured is ``UNSCORED``."""
    matrix = np.full((len(images), num_texts), UNSCORED)
    for row, image in enumerate(images):
        if image.similarity is not None:
            matrix[row] = [UNSCORED if value is None else value for value in image.similarity]
    return matrix


def solve(matrix: Matrix) -> npt.NDArray[np.int64]:
    """Return, for each of [I] images, the sentence that a one-to-one assignment gives it, or -1."""
    assigned = np.full(matrix.shape[0], -1, dtype=np.int64)
    rows, columns = linear_sum_assignment(-matrix)
    assigned[rows] = columns
    return assigned


def order_by_sentence(matrix: Matrix) -> tuple[npt.NDArray[np.int64], Matrix]:
    """Sort rows so that whoever solves the assignment again finds the sentences in rising order.

    Ties have several best assignments, and which of them a solver finds depends on the order of the rows. Where that
    happens ``TIE_BREAK`` is added along one of them: any other then sums to less, since it uses fewer of these cells.

    Args:
        matrix: [I, S] similarities.

    Returns:
        [I] row numbers in their new order, images without a sentence behind those with one; and the matrix of the rows
        in that order.
    """
    assigned = solve(matrix)
    order = _rising(assigned)
    ordered = matrix[order]
    if _is_rising(solve(ordered)):
        return order, ordered
    given = np.flatnonzero(assigned >= 0)
    matrix = matrix.copy()
    matrix[given, assigned[given]] += TIE_BREAK
    return order, matrix[order]


def _rising(assigned: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    keys = np.where(assigned < 0, np.iinfo(np.int64).max, assigned)
    return np.argsort(keys, kind="stable")


def _is_rising(assigned: npt.NDArray[np.int64]) -> bool:
    given = assigned[assigned >= 0]
    return bool(np.all(np.diff(given) > 0))
