"""Cuts a document that is longer than a sequence into several samples, at item borders and never inside an image."""

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
    """Whether each sample starts with a begin token, the later parts of a document too."""


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
class Part:
    """Tokens ``start`` to ``stop`` of a document, as one sample."""

    start: int
    stop: int
    num_tokens: int
    """With images expanded and the begin token."""
    num_images: int
    num_labels: int
    """Tokens with loss, without the first of the sample."""


def split_document(document: Counted, capacity: Capacity) -> list[Part]:
    """Split greedily: each part ends at the last break that fits, else, inside an over-long item, where it is full.

    Args:
        document: N tokens.
        capacity: ``seq_length`` must hold an image and two more tokens.

    Returns:
        Parts in order that together are the whole document; one part if it fits.
    """
    cost = np.ones(document.num_ids, dtype=np.int64)
    cost[document.image_at] = capacity.tokens_per_image
    before = np.concatenate([[0], np.cumsum(cost)])
    parts, start = [], 0
    while start < document.num_ids:
        begin = int(capacity.has_bos and start > 0)  # the document's own begin token is among its ids
        limit = before[start] + capacity.seq_length - begin
        stop = int(np.searchsorted(before, limit, side="right")) - 1
        if stop < document.num_ids:
            stop = _last_break(document.breaks, start=start, stop=stop)
        num_tokens = int(before[stop] - before[start]) + begin
        parts.append(_part(document, start=start, stop=stop, num_tokens=num_tokens, has_begin=bool(begin)))
        start = stop
    return parts


def _last_break(breaks: Ints, *, start: int, stop: int) -> int:
    place = int(np.searchsorted(breaks, stop, side="right")) - 1
    return int(breaks[place]) if place >= 0 and breaks[place] > start else stop


def _part(document: Counted, *, start: int, stop: int, num_tokens: int, has_begin: bool) -> Part:
    first_image, last_image = np.searchsorted(document.image_at, (start, stop))
    first = start if has_begin else start + 1
    begins, ends = document.label_spans[0::2], document.label_spans[1::2]
    overlaps = np.minimum(ends, stop) - np.maximum(begins, first)
    return Part(
        start=start,
        stop=stop,
        num_tokens=num_tokens,
        num_images=int(last_image - first_image),
        num_labels=int(np.maximum(overlaps, 0).sum()),
    )


def label_spans(labelled: npt.NDArray[np.bool_]) -> Ints:
    """Return the runs of true values of ``labelled`` [N] as [start, stop, start, stop, ...]."""
    edges = np.diff(labelled.astype(np.int8), prepend=0, append=0)
    return np.flatnonzero(edges).astype(np.int32)
