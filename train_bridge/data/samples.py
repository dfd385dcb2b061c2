"""Reads the samples of a plan: bytes by offset, text to tokens, images to pixels; several in flight, order kept."""

import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from curate.contract.errors import ShardError, StorageError
from curate.contract.ids import seed_for
from shards.cache import CacheSettings
from shards.reader import ShardReader, StoredSample
from train_bridge.data.corpus import Corpus
from train_bridge.model.images import DECODE_ERRORS, ImageForm, Pixels, decode_image
from train_bridge.packing.order import shuffled_rows
from train_bridge.packing.plan import Pack, PlannedSample
from train_bridge.packing.split import Capacity, Chunk
from train_bridge.tokens.encoder import Encoded, TextEncoder, expand
from train_bridge.tokens.faults import SampleFault

Ints = npt.NDArray[np.int32]
FIRST_WAIT_S, MAX_WAIT_S = 0.5, 30.0
"""Between two tries of a read that storage has refused; each wait is twice the one before."""
HANG_GRACE_S = 30.0
"""What a read may take longer than all its tries, before it counts as hanging."""
NUM_LOOKED_AT, NUM_REPLACEMENTS = 64, 3
"""Documents that are considered, and of which the largest are read, in place of a corrupt one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedSample:
    """A sample ready to be packed: L tokens, N images."""

    ids: Ints
    """[L], images expanded."""
    labels: Ints
    """[L]"""
    pixels: list[Pixels]
    """N times [3, H, W], in the order of the placeholders."""
    group: int
    """Place of its (source, kind) in ``Corpus.groups``."""


@dataclass(frozen=True, slots=True)
class SkippedSample:
    """A sample that its pack goes without."""

    key: str
    doc_id: str
    fault: SampleFault
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadSettings:
    """How samples are read from their storage."""

    cache: CacheSettings | None = None
    """Where shards of remote sets are kept."""
    patience_s: float = 0.0
    """How long a read that storage refuses is tried again."""
    excluded: frozenset[str] = frozenset()
    """Documents (doc_id) that are left out."""


class SampleReader:
    """Turns samples of a plan into tokens and pixels. Safe to use from threads."""

    def __init__(
        self,
        corpus: Corpus,
        *,
        encoder: TextEncoder,
        form: ImageForm,
        capacity: Capacity,
        settings: ReadSettings | None = None,
    ) -> None:
        """Open nothing yet.

        Args:
            corpus: Where samples lie.
            encoder: Of their text.
            form: Of their images.
            capacity: Of a sequence.
            settings: How long to try, what to leave out.
        """
        settings = settings or ReadSettings()
        self._corpus, self._encoder, self._form, self._capacity = corpus, encoder, form, capacity
        self.patience_s, self._excluded, self._is_closed = settings.patience_s, settings.excluded, threading.Event()
        self._readers = {folder: ShardReader(folder, cache=settings.cache) for folder in corpus.folders}
        self.is_local = all(reader.is_local for reader in self._readers.values())
        """Whether no read waits for the network."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._is_closed.set()
        for reader in self._readers.values():
            reader.close()

    def read(self, sample: PlannedSample) -> LoadedSample | SkippedSample:
        """Read one sample; what is wrong with it is returned, never raised."""
        folder, row = self._corpus.index_row(sample.row)
        if row["doc_id"] in self._excluded:
            return SkippedSample(row["key"], row["doc_id"], SampleFault.EXCLUDED, "left out by data.exclude")
        try:
            stored = self._read_patiently(folder, row)
        except StorageError as error:
            return SkippedSample(row["key"], row["doc_id"], SampleFault.STORAGE, f"{folder}: {error}")
        except ShardError as error:
            return SkippedSample(row["key"], row["doc_id"], SampleFault.UNREADABLE, str(error))
        loaded = self._load(stored, sample)
        if isinstance(loaded, LoadedSample):
            return loaded
        fault, detail = loaded
        return SkippedSample(row["key"], row["doc_id"], fault, detail)

    def _read_patiently(self, folder: str, row: dict[str, Any]) -> StoredSample:
        deadline_s, wait_s = time.monotonic() + self.patience_s, FIRST_WAIT_S
        while True:
            try:
                return self._readers[folder].read(row)
            except StorageError:
                if time.monotonic() + wait_s > deadline_s or self._is_closed.wait(wait_s):
                    raise
                wait_s = min(2 * wait_s, MAX_WAIT_S)

    def lost(self, sample: PlannedSample, detail: str) -> SkippedSample:
        """Return a sample whose read was given up."""
        folder, row = self._corpus.index_row(sample.row)
        return SkippedSample(row["key"], row["doc_id"], SampleFault.STORAGE, f"{folder}/{row['shard']}: {detail}")

    def read_or_replace(self, sample: PlannedSample) -> list[LoadedSample | SkippedSample]:
        """Read one sample; in place of a corrupt one, another of the same entry that fits where it would have been.

        Which one depends on the sample alone, not on who reads it or when. For one whose storage does not answer there
        is none: it is not corrupt, and a run has to stop that cannot read.

        Returns:
            The sample, or each that was skipped, and the one in its place if there is any.
        """
        found = self.read(sample)
        if isinstance(found, LoadedSample):
            return [found]
        skipped: list[LoadedSample | SkippedSample] = [found]
        if found.fault is SampleFault.STORAGE:
            return skipped
        for candidate in self._candidates(sample):
            other = self.read(candidate)
            skipped.append(other)
            if isinstance(other, LoadedSample):
                break
        return skipped

    def _candidates(self, sample: PlannedSample) -> list[PlannedSample]:
        """Look at some documents of the entry and return the largest that fit, largest first."""
        entry = self._corpus.entries[sample.entry]
        seed = seed_for(0, f"instead of {entry.name} {sample.place} {sample.chunk}")
        places = np.arange(min(NUM_LOOKED_AT, len(entry.rows)), dtype=np.int64)
        rows = entry.rows[shuffled_rows(places, num_rows=len(entry.rows), seed=seed, epoch=0)]
        counts = self._corpus.counts(rows)
        num_tokens = counts.num_ids + counts.num_images * (self._capacity.tokens_per_image - 1)
        fits = (num_tokens <= sample.span.num_tokens) & (counts.num_images <= sample.span.num_images)
        fitting = np.flatnonzero(fits & (rows != sample.row))
        chosen = fitting[np.argsort(-num_tokens[fitting], kind="stable")][:NUM_REPLACEMENTS]
        return [
            replace(
                sample,
                row=int(rows[i]),
                group=int(counts.group[i]),
                chunk=0,
                span=Chunk(
                    start=0,
                    stop=int(counts.num_ids[i]),
                    num_tokens=int(num_tokens[i]),
                    num_images=int(counts.num_images[i]),
                    num_labels=int(counts.num_labels[i]),
                ),
            )
            for i in chosen
        ]

    def _load(self, stored: StoredSample, sample: PlannedSample) -> LoadedSample | tuple[SampleFault, str]:
        encoded = self._encoder.encode([stored.record])[0]
        if isinstance(encoded, SampleFault):
            return encoded, "it could be encoded when it was counted"
        ids, labels = self._tokens(encoded, sample)
        if len(ids) != sample.span.num_tokens:
            return SampleFault.CHANGED, f"{len(ids)} tokens instead of {sample.span.num_tokens}"
        pixels: list[Pixels] = []
        for ordinal in _images_in(encoded, sample, image_token_id=self._encoder.image_token_id):
            try:
                pixels.append(decode_image(stored.images[ordinal], form=self._form))
            except IndexError:
                return SampleFault.MALFORMED, f"image {ordinal} is not stored"
            except DECODE_ERRORS as error:
                return SampleFault.BROKEN_IMAGE, f"image {ordinal}: {error}"
        return LoadedSample(ids=ids, labels=labels, pixels=pixels, group=sample.group)

    def _tokens(self, encoded: Encoded, sample: PlannedSample) -> tuple[Ints, Ints]:
        span = slice(sample.span.start, sample.span.stop)
        ids, labelled = encoded.ids[span], encoded.labelled[span]
        if sample.span.start > 0 and self._encoder.bos_id is not None:
            ids, labelled = np.insert(ids, 0, self._encoder.bos_id), np.insert(labelled, 0, values=False)
        return expand(
            ids,
            labelled,
            image_token_id=self._encoder.image_token_id,
            tokens_per_image=self._capacity.tokens_per_image,
        )


Content = list[LoadedSample | SkippedSample]


def read_packs(packs: Iterable[Pack], *, reader: SampleReader, read_ahead: int) -> Iterator[tuple[Pack, Content]]:
    """Read packs in order with about ``read_ahead`` samples in flight.

    What is read from a local disk costs processor time alone, and more threads than processors only hinder each other.

    Yields:
        Each pack with what became of its samples, in their order: see ``SampleReader.read_or_replace``.
    """
    queue: deque[tuple[Pack, list[Future[Content]]]] = deque()
    num_threads = min(read_ahead, (os.cpu_count() or 1) + 1) if reader.is_local else read_ahead
    pool = ThreadPoolExecutor(num_threads)
    try:
        for pack in packs:
            queue.append((pack, [pool.submit(reader.read_or_replace, sample) for sample in pack.samples]))
            while sum(len(futures) for _, futures in queue) - len(queue[0][1]) >= read_ahead:
                yield _finish(*queue.popleft(), reader=reader)
        while queue:
            yield _finish(*queue.popleft(), reader=reader)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # a read that hangs must not hang its process


def _finish(pack: Pack, futures: Sequence[Future[Content]], *, reader: SampleReader) -> tuple[Pack, Content]:
    """Wait for the samples of a pack; one that hangs is given up."""
    content: Content = []
    limit_s = reader.patience_s + HANG_GRACE_S if reader.patience_s else None
    wait_s = limit_s
    for sample, future in zip(pack.samples, futures, strict=True):
        try:
            content += future.result(wait_s)
        except TimeoutError:
            content.append(reader.lost(sample, f"no answer for {limit_s:.0f} s"))
            wait_s = 0.0  # the run is over; the others, which wait for the same storage, need not be waited for
    return pack, content


def _images_in(encoded: Encoded, sample: PlannedSample, *, image_token_id: int) -> tuple[int, ...]:
    """Return the images whose placeholders lie in the sample's part of the document."""
    places = np.flatnonzero(encoded.ids == image_token_id)
    first, last = np.searchsorted(places, [sample.span.start, sample.span.stop])
    return encoded.images[first:last]
