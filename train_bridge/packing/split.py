"""Cuts a document that is longer than a sequence into several samples, at item borders and never inside an image."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Capacity:
    """What one sequence holds."""

    seq_length: int
    """Tokens, image tokens included."""
    tokens_per_image: int
    has_bos: bool
    """Whether each sample starts with a begin token, the later chunks of a document too."""
    keeps_runs: bool = False
    """Never split between placeholders that are next to each other: they are one image (S2)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """A document as it was counted: what its split depends on."""

    num_ids: int
    """N tokens, an image counting as one."""
    image_at: Ints
    """Indices of the placeholders."""
    breaks: Ints
    """Indices at which to split if possible."""
    label_spans: Ints
    """[2 K]: start and stop of each run of tokens with loss."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """Tokens ``start`` to ``stop`` of a document, as one sample."""

    start: int
    stop: int
    num_tokens: int
    """With images expanded and the begin token."""
    num_images: int
    num_labels: int
    """Tokens with loss, without the first of the sample."""


def split_document(document: Counted, capacity: Capacity) -> list[Chunk]:
    """Split greedily: each chunk ends at the last break that fits, else, inside an over-long item, where it is full.

    Args:
        document: N tokens.
        capacity: ``seq_length`` must hold an image and two more tokens.

    Returns:
        Chunks in order that together are the whole document; one chunk if it fits.
    """
    images, breaks = document.image_at.tolist(), document.breaks.tolist()
    spans = list(zip(*[iter(document.label_spans.tolist())] * 2, strict=True))
    more = capacity.tokens_per_image - 1
    # Tokens up to and with each image, images expanded.
    ends = [place + 1 + (number + 1) * more for number, place in enumerate(images)]
    chunks, start = [], 0
    while start < document.num_ids:
        begin = int(capacity.has_bos and start > 0)  # the document's own begin token is among its ids
        first_image = bisect_left(images, start)
        before = start + first_image * more
        stop, last_image = _longest(document, images, ends, limit=before + capacity.seq_length - begin, more=more)
        if capacity.keeps_runs:
            stop, last_image = _before_run(images, stop=stop, num_images=last_image, start=start)
        if stop < document.num_ids:
            stop = _last_break(breaks, start=start, stop=stop)
            last_image = bisect_left(images, stop)
        chunks.append(
            Chunk(
                start=start,
                stop=stop,
                num_tokens=stop + last_image * more - before + begin,
                num_images=last_image - first_image,
                num_labels=_count_labels(spans, start if begin else start + 1, stop),
            )
        )
        start = stop
    return chunks


def _longest(
    document: Counted, images: Sequence[int], ends: Sequence[int], *, limit: int, more: int
) -> tuple[int, int]:
    """Return where a chunk must stop for ``limit`` expanded tokens from the document's start, and the images before."""
    num_images = bisect_right(ends, limit)
    stop = limit - num_images * more
    if num_images < len(images):
        stop = min(stop, images[num_images])  # never inside an image
    return min(stop, document.num_ids), num_images


def _before_run(images: Sequence[int], *, stop: int, num_images: int, start: int) -> tuple[int, int]:
    """Return where to stop, and the images before, so that no run of placeholders is cut that begins behind start."""
    first = num_images
    if first == len(images) or stop != images[first]:
        return stop, num_images
    while first and images[first - 1] + 1 == images[first]:
        first -= 1
    return (images[first], first) if images[first] > start else (stop, num_images)


def _last_break(breaks: Sequence[int], *, start: int, stop: int) -> int:
    place = bisect_right(breaks, stop) - 1
    return breaks[place] if place >= 0 and breaks[place] > start else stop


def _count_labels(spans: Sequence[tuple[int, int]], first: int, stop: int) -> int:
    return sum(max(0, min(end, stop) - max(begin, first)) for begin, end in spans)


def label_spans(labelled: npt.NDArray[np.bool_]) -> Ints:
    """Return the runs of true values of ``labelled`` [N] as [start, stop, start, stop, ...]."""
    edges = np.diff(labelled.astype(np.int8), prepend=0, append=0)
    return np.flatnonzero(edges).astype(np.int32)
