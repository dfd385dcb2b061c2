"""Reads the samples of a plan: text to tokens, images to pixels, another document in place of a corrupt one."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from curate.contract.errors import ShardError, StorageError
from curate.contract.ids import seed_for
from shards.cache import CacheSettings
from train_bridge.data.corpus import Corpus
from train_bridge.data.fetching import Fetched, SampleFetcher, places_of_sample
from train_bridge.data.shown_images import UnusableImageError, show_images
from train_bridge.model.images import ImageForm, Pixels
from train_bridge.packing.order import shuffled_rows
from train_bridge.packing.plan import PlannedSample
from train_bridge.packing.split import Capacity, Chunk
from train_bridge.tokens.encoder import Encoded, TextEncoder, expand
from train_bridge.tokens.faults import SampleFault
from train_bridge.tokens.image_places import Grid

Ints = npt.NDArray[np.int32]
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
    """N times [3, H, W], in the order of the placeholders; crops where images are cut."""
    group: int
    """Place of its (source, kind) in ``Corpus.groups``."""
    grids: list[Grid] = field(default_factory=list)
    """Rows and columns of each image's crops, where several of ``pixels`` are one image (S2)."""


@dataclass(frozen=True, slots=True)
class SkippedSample:
    """A sample that its pack goes without."""

    key: str
    doc_id: str
    fault: SampleFault
    detail: str


Content = list[LoadedSample | SkippedSample]
"""What became of a sample, or of all of a pack."""


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
        self.patience_s, self._excluded = settings.patience_s, settings.excluded
        self._fetcher = SampleFetcher(corpus, encoder=encoder, cache=settings.cache, patience_s=settings.patience_s)
        self.is_local = self._fetcher.is_local
        """Whether no read waits for the network."""
        self.group_near = self._fetcher.group_near
        """See ``SampleFetcher``."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._fetcher.close()

    def read(self, sample: PlannedSample, *, fetched: Fetched | None = None) -> LoadedSample | SkippedSample:
        """Read one sample; what is wrong with it is returned, never raised.

        Args:
            sample: Of the plan.
            fetched: What it needs, where that has been read already.
        """
        folder, row = self._corpus.index_row(sample.row)
        if row["doc_id"] in self._excluded:
            return SkippedSample(row["key"], row["doc_id"], SampleFault.EXCLUDED, "left out by data.exclude")
        try:
            fetched = fetched or self._fetcher.fetch(sample)
        except StorageError as error:
            return SkippedSample(row["key"], row["doc_id"], SampleFault.STORAGE, f"{folder}: {error}")
        except ShardError as error:
            return SkippedSample(row["key"], row["doc_id"], SampleFault.UNREADABLE, str(error))
        except IndexError:
            return SkippedSample(row["key"], row["doc_id"], SampleFault.MALFORMED, "an image of it is not stored")
        loaded = self._load(fetched, sample)
        if isinstance(loaded, LoadedSample):
            return loaded
        fault, detail = loaded
        return SkippedSample(row["key"], row["doc_id"], fault, detail)

    def lost(self, sample: PlannedSample, detail: str) -> SkippedSample:
        """Return a sample whose read was given up."""
        folder, row = self._corpus.index_row(sample.row)
        return SkippedSample(row["key"], row["doc_id"], SampleFault.STORAGE, f"{folder}/{row['shard']}: {detail}")

    def read_group(self, samples: Sequence[PlannedSample]) -> list[Content]:
        """Read samples that ``group_near`` has put together; see ``read_or_replace``."""
        try:
            near = self._fetcher.fetch_near(samples) if len(samples) > 1 else None
        except StorageError as error:
            return [[self.lost(sample, str(error))] for sample in samples]
        if near is None:
            return [self.read_or_replace(sample) for sample in samples]
        return [self.read_or_replace(sample, fetched=one) for sample, one in zip(samples, near, strict=True)]

    def read_or_replace(self, sample: PlannedSample, *, fetched: Fetched | None = None) -> Content:
        """Read one sample; in place of a corrupt one, another of the same entry that fits where it would have been.

        Which one depends on the sample alone, not on who reads it or when. For one whose storage does not answer there
        is none: it is not corrupt, and a run has to stop that cannot read.

        Returns:
            The sample, or each that was skipped, and the one in its place if there is any.
        """
        found = self.read(sample, fetched=fetched)
        if isinstance(found, LoadedSample):
            return [found]
        skipped: Content = [found]
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

    def _load(self, fetched: Fetched, sample: PlannedSample) -> LoadedSample | tuple[SampleFault, str]:
        encoded = fetched.encoded
        if isinstance(encoded, SampleFault):
            return encoded, "it could be encoded when it was counted"
        ids, labels = self._tokens(encoded, sample)
        if len(ids) != sample.span.num_tokens:
            return SampleFault.CHANGED, f"{len(ids)} tokens instead of {sample.span.num_tokens}"
        places = places_of_sample(encoded, sample, image_token_id=self._encoder.image_token_id)
        try:
            shown = show_images(encoded, places, images=fetched.images, form=self._form)
        except KeyError as error:
            return SampleFault.MALFORMED, f"image {error} is not stored"
        except UnusableImageError as error:
            return SampleFault.BROKEN_IMAGE, str(error)
        return LoadedSample(ids=ids, labels=labels, pixels=shown.pixels, group=sample.group, grids=shown.grids)

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
