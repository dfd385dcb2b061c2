"""Draws samples in the order of the run: of one entry one after the other, of several by what is due to each.

An entry is what one weight covers of the corpus, with a share of its own. Each of its samples becomes due when the run
has come so far that the entry's share covers it; samples go out in the order in which they become due. With L the
largest sample and K entries, an entry of share p is then never more than L behind nor p K L ahead of its due. Nothing
is drawn beyond the point at which the first entry has run out: weights hold to the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from curate.blend.curve import ShareCurve
from curate.contract.ids import seed_for
from train_bridge.packing.blocks import shuffled_blocks
from train_bridge.packing.order import shuffled_rows
from train_bridge.packing.seen import Seen
from train_bridge.packing.split import Capacity, Chunk, Counted, split_document

Rows = npt.NDArray[np.int64]
Samples = npt.NDArray[np.void]
"""A structured array of ``SAMPLE``."""

SAMPLE = np.dtype(
    [
        ("entry", np.int32),
        ("place", np.int64),  # in the entry's order, running on over epochs
        ("chunk", np.int32),  # 0 for a whole document
        ("row", np.int64),  # of the corpus
        ("group", np.int32),
        ("start", np.int32),  # which of the document's tokens
        ("stop", np.int32),
        ("num_tokens", np.int32),  # with images expanded and the begin token
        ("num_images", np.int32),
        ("num_labels", np.int32),
        ("window", np.int64),  # that saw it first
        ("num_cut", np.int64),  # tokens of the document that none of its samples has, on its first sample
    ]
)
REFILL = 4096
"""Samples of an entry that are looked up at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """Of K rows."""

    num_ids: Rows
    """[K] tokens, an image counting as one."""
    num_images: Rows
    """[K]"""
    num_labels: Rows
    """[K] tokens with loss."""
    group: Rows
    """[K]: place in ``Corpus.groups``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DrawEntry:
    """What one weight covers of the corpus, with a share of its own."""

    name: str
    rows: Rows
    """Of the corpus, usable ones only, rising; may be mapped from a file."""
    curve: ShareCurve
    """Its share along the run, in the unit of the blend."""
    max_repeats: int = 1
    """Times that a pass over the blend may use each of its documents."""
    shard_starts: Rows = field(default_factory=lambda: np.zeros(1, dtype=np.int64))
    """[S]: places in ``rows`` at which another shard begins, rising; the first is 0."""
    seen: Seen | None = None
    """What an earlier plan has drawn."""


class SampleCounts(Protocol):
    """What the plan needs of a ``Corpus``."""

    @property
    def entries(self) -> Sequence[DrawEntry]:
        """At least one, none of them empty."""

    @property
    def num_groups(self) -> int:
        """Groups that packs are balanced by."""

    def counts(self, rows: Rows) -> Counts:
        """Return the counts of ``rows`` [K]."""

    def document(self, row: int) -> Counted:
        """Return the places of a document's images and breaks."""


Order = Literal["stored", "shuffled", "blocks"]
"""Of an entry's samples in an epoch: as they are stored; shuffled over all of it; shuffled in blocks of some shards,
chosen anew each epoch, so that few shards are read from at a time."""
LongDocuments = Literal["split", "with_images", "truncate"]
"""Which chunks of a document that is longer than a sequence are used: all; those up to the first with an image, since
later ones speak of pictures that they do not have; the first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DrawSettings:
    """What decides which samples come, and when."""

    capacity: Capacity
    order: Order = "stored"
    block_shards: int = 8
    seed: int = 0
    unit: Literal["samples", "tokens"] = "tokens"
    """Of the entries' shares."""
    long_documents: LongDocuments = "split"


class Drawer:
    """Draws from ``places`` on; its state is what it has drawn of each entry."""

    def __init__(
        self,
        source: SampleCounts,
        settings: DrawSettings,
        *,
        places: Sequence[int] = (),
        amounts: Sequence[int] = (),
        num_epochs: int | None = None,
    ) -> None:
        """Go on where ``places`` samples of each entry, together ``amounts``, have been drawn."""
        zeros = [0] * len(source.entries)
        if len(places or zeros) != len(zeros) or len(amounts or zeros) != len(zeros):
            raise ValueError(f"the cursor is of {len(places)} blend entries, the plan has {len(zeros)}")
        self.places, self.amounts = list(places or zeros), list(amounts or zeros)
        self.is_done = False
        self._source, self._settings = source, settings
        limits = [
            None if num_epochs is None else num_epochs * entry.max_repeats * len(entry.rows) for entry in source.entries
        ]
        self._queues = [
            _Queue(source, settings, entry=i, place=self.places[i], amount=self.amounts[i], limit=limit)
            for i, limit in enumerate(limits)
        ]

    def draw(self, num_samples: int) -> Samples:
        """Return the next whole documents, fewer only at the end of the run."""
        for queue in self._queues:
            queue.fill(num_samples)
        due = np.concatenate([queue.due[:num_samples] for queue in self._queues])
        of = np.repeat(np.arange(len(self._queues)), [min(num_samples, len(queue.due)) for queue in self._queues])
        end = min(queue.end for queue in self._queues)
        order = np.argsort(due, kind="stable")
        order = order[due[order] <= end]
        order = order[np.isfinite(due[order])]
        chosen = of[order[:num_samples]]
        drawn = np.empty(len(chosen), dtype=SAMPLE)
        for i, queue in enumerate(self._queues):
            mine = chosen == i
            drawn[mine] = queue.take(int(mine.sum()))
            self.places[i], self.amounts[i] = queue.place, queue.amount
        self.is_done = not any(queue.has_before(end) for queue in self._queues)
        return drawn


class _Queue:
    """The next samples of one entry, and when they are due."""

    def __init__(
        self,
        source: SampleCounts,
        settings: DrawSettings,
        *,
        entry: int,
        place: int,
        amount: int,
        limit: int | None,
    ) -> None:
        self.place, self.amount = place, amount
        self.end = np.inf
        """When the last sample is due; infinite while more can be looked up."""
        self.due = np.empty(0)
        self._source, self._settings, self._entry, self._limit = source, settings, entry, limit
        self._samples: Samples = np.empty(0, dtype=SAMPLE)
        self._sizes: Rows = np.empty(0, dtype=np.int64)
        if limit is not None and place >= limit:
            self.end = -np.inf

    def fill(self, num_samples: int) -> None:
        while len(self.due) < num_samples and not np.isfinite(self.end):
            if self.end == -np.inf:
                return
            start = self.place + len(self.due)
            stop = start + max(REFILL, num_samples)
            stop = stop if self._limit is None else min(stop, self._limit)
            self._extend(np.arange(start, stop, dtype=np.int64))
            if stop == self._limit:
                self.end = float(self.due[-1])
                return

    def take(self, num_samples: int) -> Samples:
        taken = self._samples[:num_samples]
        self.place += num_samples
        self.amount += int(self._sizes[:num_samples].sum())
        self._samples, self._sizes = self._samples[num_samples:], self._sizes[num_samples:]
        self.due = self.due[num_samples:]
        return taken

    def has_before(self, end: float) -> bool:
        """Whether a sample is left that is due by ``end``."""
        if len(self.due):
            return bool(self.due[0] <= end and np.isfinite(self.due[0]))
        return self.end == np.inf

    def _extend(self, places: Rows) -> None:
        samples = look_up(self._source, self._settings, entry=self._entry, places=places)
        sizes = np.ones(len(places), dtype=np.int64)
        if self._settings.unit == "tokens":
            sizes = samples["num_tokens"].astype(np.int64)
            if self._settings.long_documents == "truncate":
                sizes = np.minimum(sizes, self._settings.capacity.seq_length)
        before = self.amount + int(self._sizes.sum())
        curve = self._source.entries[self._entry].curve
        due = curve.find_when_due((before + np.cumsum(sizes)).astype(np.float64), last=False)
        self._samples = np.concatenate([self._samples, samples])
        self._sizes, self.due = np.concatenate([self._sizes, sizes]), np.concatenate([self.due, due])


def look_up(source: SampleCounts, settings: DrawSettings, *, entry: int, places: Rows) -> Samples:
    """Return the whole documents at ``places`` of an entry's order, [K]."""
    rows = rows_at(source.entries[entry], settings, places)
    counts = source.counts(rows)
    samples = np.zeros(len(places), dtype=SAMPLE)
    samples["entry"], samples["place"], samples["row"], samples["group"] = entry, places, rows, counts.group
    samples["stop"], samples["num_images"], samples["num_labels"] = counts.num_ids, counts.num_images, counts.num_labels
    samples["num_tokens"] = counts.num_ids + counts.num_images * (settings.capacity.tokens_per_image - 1)
    return samples


def rows_at(entry: DrawEntry, settings: DrawSettings, places: Rows) -> Rows:
    """Return the corpus rows at ``places`` of an entry's order, which may span epochs."""
    epochs, inside = np.divmod(places, len(entry.rows))
    for epoch in np.unique(epochs).tolist():
        of = epochs == epoch
        if entry.seen is not None and entry.seen.epoch == epoch:
            num_left, starts = len(entry.rows) - len(entry.seen.places), entry.seen.starts_left(entry.shard_starts)
            shuffle = partial(_shuffle, entry.name, settings, num_rows=num_left, starts=starts, epoch=epoch)
            inside[of] = entry.seen.rows_of(inside[of], shuffle)
        else:
            num_rows, starts = len(entry.rows), entry.shard_starts
            inside[of] = _shuffle(entry.name, settings, inside[of], num_rows=num_rows, starts=starts, epoch=epoch)
    return np.asarray(entry.rows[inside], dtype=np.int64)


def _shuffle(name: str, settings: DrawSettings, places: Rows, *, num_rows: int, starts: Rows, epoch: int) -> Rows:
    """Return what stands at ``places`` of an epoch of so many rows."""
    if settings.order == "stored" or not len(places):
        return places
    seed = seed_for(settings.seed, f"order {name}")
    if settings.order == "shuffled":
        return shuffled_rows(places, num_rows=num_rows, seed=seed, epoch=epoch)
    blocks = shuffled_blocks(starts, num_rows=num_rows, block_shards=settings.block_shards, seed=seed, epoch=epoch)
    return blocks.rows(places)


def split_long(source: SampleCounts, settings: DrawSettings, documents: Samples) -> Samples:
    """Replace documents longer than a sequence by their chunks; those without a token to learn are left out."""
    is_long = documents["num_tokens"] > settings.capacity.seq_length
    if not is_long.any():
        return documents
    found = [_kept_chunks(source.document(row), settings) for row in documents["row"][is_long].tolist()]
    repeats = np.ones(len(documents), dtype=np.int64)
    repeats[is_long] = [len(chunks) for chunks in found]
    samples = np.repeat(documents, repeats)
    of = np.repeat(is_long, repeats)
    columns = [
        (i, chunk.start, chunk.stop, chunk.num_tokens, chunk.num_images, chunk.num_labels, num_cut)
        for chunks in found
        for i, chunk, num_cut in chunks
    ]
    names = ("chunk", "start", "stop", "num_tokens", "num_images", "num_labels", "num_cut")
    for name, column in zip(names, zip(*columns, strict=True), strict=True):
        samples[name][of] = column
    return samples


def _kept_chunks(document: Counted, settings: DrawSettings) -> list[tuple[int, Chunk, int]]:
    """Return the chunks of a document that are used, by number, and with the first the tokens of the others.

    A chunk without a token to learn would only cost time.
    """
    chunks = split_document(document, settings.capacity)
    num_kept = _num_kept(chunks, settings.long_documents)
    kept, num_cut = list[tuple[int, Chunk, int]](), 0
    for i, chunk in enumerate(chunks):
        if i < num_kept and chunk.num_labels:
            kept.append((i, chunk, 0))
        else:
            num_cut += chunk.num_tokens - int(settings.capacity.has_bos and i > 0)
    return [(i, chunk, 0 if place else num_cut) for place, (i, chunk, _) in enumerate(kept)]


def _num_kept(chunks: Sequence[Chunk], policy: LongDocuments) -> int:
    """Return how many chunks of a document are used, from its first on."""
    if policy == "truncate":
        return 1
    first_image = next((i for i, chunk in enumerate(chunks) if chunk.num_images), len(chunks))
    return first_image + 1 if policy == "with_images" else len(chunks)
