"""Which samples share which pack: a pure function of the counted samples, the plan's settings and nothing else.

Samples are taken in order (stored, or a seeded permutation per epoch), a window of them is packed by
best-fit-decreasing, packs that are not full enough are taken apart again and their samples join the next window, up to
an age. Packs are numbered from 0 over the whole run. Every rank and loader process computes the same numbers, so who
reads what is arithmetic, and the state of a run is a ``Cursor``, whatever the number of ranks and processes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np

from train_bridge.binpack import pack_best_fit
from train_bridge.corpus import Counts, Rows
from train_bridge.cursor import Carried, Cursor
from train_bridge.order import shuffled_rows
from train_bridge.split import Capacity, Counted, Part, split_document


class SampleCounts(Protocol):
    """What the plan needs of a ``Corpus``."""

    @property
    def num_rows(self) -> int:
        """Samples, usable or not; at least one is."""

    def counts(self, rows: Rows) -> Counts:
        """Return the counts of ``rows`` [K]."""

    def document(self, row: int) -> Counted:
        """Return the places of a document's images and breaks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanSettings:
    """What decides a plan, beside the counts."""

    capacity: Capacity
    order: Literal["stored", "shuffled"] = "stored"
    seed: int = 0
    long_documents: Literal["split", "truncate"] = "split"
    window: int = 1024
    """Samples that are packed at once."""
    min_fill: float = 0.995
    """Share of the sequence below which a pack waits."""
    age_limit: int = 8
    """Windows that a sample may wait."""
    max_carry: int = 96
    """Samples that may wait at once."""
    max_images: int | None = None
    """Images per pack."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """A document, or a part of one, in a pack."""

    position: int
    """Place in the order of samples."""
    row: int
    """Of the corpus."""
    part: int
    """0 for a whole document."""
    span: Part
    """Which of the document's tokens."""
    first_window: int
    """The window that saw it first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pack:
    """Samples that share a sequence."""

    number: int
    """Global: over all ranks, from the start of the run."""
    samples: tuple[Sample, ...]
    """In the order of the plan."""
    cursor: Cursor
    """The plan before this pack's window, with this pack as the next."""

    @property
    def num_tokens(self) -> int:
        """Tokens of all samples, image tokens included."""
        return sum(sample.span.num_tokens for sample in self.samples)


def plan_packs(
    source: SampleCounts, settings: PlanSettings, *, cursor: Cursor | None = None, num_epochs: int | None = None
) -> Iterator[Pack]:
    """Yield packs in order, from ``cursor.next_pack`` on.

    Args:
        source: The counted samples.
        settings: Of the plan; another value is another plan, for which a cursor means nothing.
        cursor: Where to go on; the start by default.
        num_epochs: Passes over the corpus in all, counted from the start; None never ends. Packs hold no samples of
            two epochs.
    """
    cursor = cursor or Cursor()
    while num_epochs is None or cursor.position < num_epochs * source.num_rows:
        bins, after = plan_window(source, settings, cursor=cursor)
        for number, samples in enumerate(bins, start=cursor.first_pack):
            if number >= cursor.next_pack:
                yield Pack(number=number, samples=samples, cursor=replace(cursor, next_pack=number))
        cursor = replace(after, next_pack=max(cursor.next_pack, after.first_pack))


def plan_window(
    source: SampleCounts, settings: PlanSettings, *, cursor: Cursor
) -> tuple[list[tuple[Sample, ...]], Cursor]:
    """Pack one window.

    Returns:
        The samples of each pack, in the order of the packs, and the cursor of the next window.
    """
    samples = _carried_samples(source, settings, cursor.carried)
    fresh, position = _next_samples(source, settings, position=cursor.position, window=cursor.window)
    samples += fresh
    ends_epoch = position % source.num_rows == 0
    full, waiting = _choose(samples, settings, window=cursor.window, keep_all=ends_epoch)
    after = Cursor(
        window=cursor.window + 1,
        position=position,
        first_pack=cursor.first_pack + len(full),
        carried=tuple(Carried(s.position, s.part, s.first_window) for s in waiting),
    )
    return full, after


def _next_samples(
    source: SampleCounts, settings: PlanSettings, *, position: int, window: int
) -> tuple[list[Sample], int]:
    """Take whole documents until the window is full or the epoch ends."""
    samples: list[Sample] = []
    epoch_end = (position // source.num_rows + 1) * source.num_rows
    while position < epoch_end and len(samples) < settings.window:
        stop = min(position + settings.window - len(samples), epoch_end)
        samples += _samples_at(source, settings, np.arange(position, stop, dtype=np.int64), window=window)
        position = stop
    return samples, position


def _samples_at(source: SampleCounts, settings: PlanSettings, positions: Rows, *, window: int) -> list[Sample]:
    rows = _rows_at(source, settings, positions)
    counts = source.counts(rows)
    extra = settings.capacity.tokens_per_image - 1
    num_tokens = counts.num_ids + counts.num_images * extra
    columns = (positions, rows, num_tokens, counts.num_ids, counts.num_images, counts.num_labels)
    chosen = (column[counts.usable].tolist() for column in columns)
    samples = []
    for place, row, tokens, ids, images, labels in zip(*chosen, strict=True):
        if tokens <= settings.capacity.seq_length:
            parts = [Part(start=0, stop=ids, num_tokens=tokens, num_images=images, num_labels=labels)]
        else:
            parts = split_document(source.document(row), settings.capacity)
            parts = parts[:1] if settings.long_documents == "truncate" else parts
        samples += [
            Sample(position=place, row=row, part=i, span=part, first_window=window)
            for i, part in enumerate(parts)
            if part.num_labels  # a part without a token to learn would only cost time
        ]
    return samples


def _carried_samples(source: SampleCounts, settings: PlanSettings, carried: Sequence[Carried]) -> list[Sample]:
    if not carried:
        return []
    positions = np.unique(np.asarray([c.position for c in carried], dtype=np.int64))
    found = {(s.position, s.part): s for s in _samples_at(source, settings, positions, window=0)}
    return [replace(found[c.position, c.part], first_window=c.first_window) for c in carried]


def _rows_at(source: SampleCounts, settings: PlanSettings, positions: Rows) -> Rows:
    epoch, places = int(positions[0]) // source.num_rows, positions % source.num_rows
    if settings.order == "stored":
        return places
    return shuffled_rows(places, num_rows=source.num_rows, seed=settings.seed, epoch=epoch)


def _choose(
    samples: Sequence[Sample], settings: PlanSettings, *, window: int, keep_all: bool
) -> tuple[list[tuple[Sample, ...]], list[Sample]]:
    """Pack and say which packs stay; the samples of the others wait."""
    length = settings.capacity.seq_length
    bins = pack_best_fit(
        [s.span.num_tokens for s in samples],
        capacity=length,
        images=[s.span.num_images for s in samples],
        max_images=settings.max_images,
    )
    packs = [tuple(samples[i] for i in items) for items in bins]
    opened = [pack[0].position for pack in packs]
    # Best-fit opens packs by length; the place of the first sample puts them back into the order of the data.
    ranked = sorted(range(len(packs)), key=lambda i: (opened[i], packs[i][0].part))
    waiting = set() if keep_all else _waiting(packs, settings, window=window)
    kept = [tuple(sorted(packs[i], key=_place)) for i in ranked if i not in waiting]
    return kept, sorted((s for i in waiting for s in packs[i]), key=_place)


def _waiting(packs: Sequence[tuple[Sample, ...]], settings: PlanSettings, *, window: int) -> set[int]:
    """Choose the packs that are taken apart: the emptiest, none with a sample that is too old, at most max_carry."""
    fills = [sum(s.span.num_tokens for s in pack) for pack in packs]
    chosen: set[int] = set()
    room = settings.max_carry
    for i in sorted(range(len(packs)), key=lambda i: (fills[i], i)):
        too_old = any(window - s.first_window >= settings.age_limit for s in packs[i])
        if fills[i] >= settings.min_fill * settings.capacity.seq_length or len(packs[i]) > room:
            break
        if not too_old:
            chosen.add(i)
            room -= len(packs[i])
    return chosen


def _place(sample: Sample) -> tuple[int, int]:
    return sample.position, sample.part
