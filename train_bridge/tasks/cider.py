"""CIDEr-D of captions (Vedantam et al., arXiv 1411.5726, section 6).

A caption is held against each of its references as vectors of n-grams, n = 1 to 4, weighted by how rare an n-gram is
among the references of all images. Counts are clipped to the reference's and a Gaussian of the difference in length
(sigma 6) is factored in, so that repeating words does not pay. As in the authors' public code, frequencies are plain
counts, and the result is ten times the mean over n and references. Words are runs of letters and digits in lower case,
which is simpler than the Penn Treebank rules of that code; figures are comparable between runs, hardly with papers.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

MAX_N = 4
SIGMA = 6.0
SCALE = 10.0

NGram = tuple[str, ...]


def cider_d(captions: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    """Return the score of each caption, 0 to 10.

    Args:
        captions: One per image; at least two images, or no n-gram is rarer than another.
        references: One or more per image.
    """
    rows = [[_ngrams(text) for text in texts] for texts in references]
    seen: Counter[NGram] = Counter(gram for texts in rows for gram in {g for text in texts for g in text})
    log_images = math.log(max(1, len(captions)))
    weights = {gram: log_images - math.log(max(1, count)) for gram, count in seen.items()}
    scores = []
    for caption, texts in zip(captions, rows, strict=True):
        found = _ngrams(caption)
        each = [_similarity(found, text, weights=weights, unseen=log_images) for text in texts]
        scores.append(SCALE * sum(each) / len(each))
    return scores


def _similarity(found: Counter[NGram], text: Counter[NGram], *, weights: Mapping[NGram, float], unseen: float) -> float:
    """Return the mean over n of the clipped cosine of two captions, times the penalty for a length that differs."""
    difference = _length(found) - _length(text)
    penalty = math.exp(-(difference**2) / (2 * SIGMA**2))
    total = 0.0
    for n in range(1, MAX_N + 1):
        one = {gram: count * weights.get(gram, unseen) for gram, count in found.items() if len(gram) == n}
        other = {gram: count * weights.get(gram, unseen) for gram, count in text.items() if len(gram) == n}
        norm = math.sqrt(sum(v * v for v in one.values())) * math.sqrt(sum(v * v for v in other.values()))
        if norm:
            total += (
                penalty
                * sum(min(value, other.get(gram, 0.0)) * other.get(gram, 0.0) for gram, value in one.items())
                / norm
            )
    return total / MAX_N


def _ngrams(text: str) -> Counter[NGram]:
    words = re.findall(r"[^\W_]+", text.lower())
    return Counter(tuple(words[i : i + n]) for n in range(1, MAX_N + 1) for i in range(len(words) - n + 1))


def _length(grams: Counter[NGram]) -> int:
    return sum(count for gram, count in grams.items() if len(gram) == 1)
