"""Fetches of storage what a sample needs: the text of its document, and of the images those that it shows.

A sample that is a whole document comes with one read, samples that are neighbours on an object store with one for all.
Of a document that is cut into several samples, or of which images are left out, the text is read once by a process and
then the images of each sample alone.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np

from curate.contract.errors import ShardError, StorageError
from shards.cache import CacheSettings
from shards.ranges import MAX_GAP_BYTES, merge_ranges
from shards.reader import ShardReader, read_json_part
from train_bridge.data.corpus import Corpus
from train_bridge.data.documents import EncodedDocuments
from train_bridge.packing.plan import PlannedSample
from train_bridge.tokens.encoder import Encoded, TextEncoder
from train_bridge.tokens.faults import SampleFault

T = TypeVar("T")
FIRST_WAIT_S, MAX_WAIT_S = 0.5, 30.0
"""Between two tries of a read that storage has refused; each wait is twice the one before."""
NUM_NEAR = 32
"""Samples that are read together at most: they are decoded one after the other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """What a sample is made of."""

    encoded: Encoded | SampleFault
    """Of the whole document."""
    images: Mapping[int, bytes]
    """By their place in the record; those of the sample, maybe others too."""


class SampleFetcher:
    """Reads a corpus. Safe to use from threads."""

    def __init__(self, corpus: Corpus, *, encoder: TextEncoder, cache: CacheSettings | None, patience_s: float) -> None:
        """Open nothing yet.

        Args:
            corpus: Where samples lie.
            encoder: Of their text.
            cache: Where shards of remote sets are kept.
            patience_s: How long a read that storage refuses is tried again.
        """
        self._corpus, self._encoder, self._patience_s = corpus, encoder, patience_s
        self._readers = {folder: ShardReader(folder, cache=cache) for folder in corpus.folders}
        self._long = EncodedDocuments(lambda row: self._encode_alone(*corpus.index_row(row)))
        self._is_closed = threading.Event()
        self.is_local = all(reader.is_local for reader in self._readers.values())
        """Whether no read waits for the network."""

    def close(self) -> None:
        """Give up waiting, close what was opened."""
        self._is_closed.set()
        for reader in self._readers.values():
            reader.close()

    def fetch(self, sample: PlannedSample) -> Fetched:
        """Read what one sample needs.

        Raises:
            StorageError: Storage refuses, for longer than the fetcher has patience.
            ShardError: The sample is not there, or is corrupt.
            IndexError: It has fewer images than it speaks of.
        """
        folder, row = self._corpus.index_row(sample.row)
        reader = self._readers[folder]
        if self._is_read_whole(sample, row):
            stored = self._try_again(partial(reader.read, row))
            return self._whole(stored.record, stored.images)
        encoded = self._long.find(sample.row) if self._is_split(sample) else self._encode_alone(folder, row)
        if isinstance(encoded, SampleFault):
            return Fetched(encoded=encoded, images={})
        places = places_of_sample(encoded, sample, image_token_id=self._encoder.image_token_id)
        wanted = sorted({encoded.images[place] for place in places})
        images = self._try_again(partial(reader.read_images, row, wanted))
        return Fetched(encoded=encoded, images=dict(zip(wanted, images, strict=True)))

    def group_near(self, samples: Sequence[PlannedSample]) -> list[list[int]]:
        """Return which of some samples are best fetched together: neighbours on an object store, else each alone."""
        if self.is_local:
            return [[place] for place in range(len(samples))]
        located = [self._corpus.index_row(sample.row) for sample in samples]
        groups = []
        for folder in self._corpus.folders:
            whole = [
                place
                for place, (of, row) in enumerate(located)
                if of == folder and self._is_read_whole(samples[place], row)
            ]
            for part in merge_ranges([located[place][1] for place in whole]):
                members = [whole[member] for member in part.members]
                groups += [members[start : start + NUM_NEAR] for start in range(0, len(members), NUM_NEAR)]
        grouped = {place for group in groups for place in group}
        return groups + [[place] for place in range(len(samples)) if place not in grouped]

    def fetch_near(self, samples: Sequence[PlannedSample]) -> list[Fetched] | None:
        """Read a group of ``group_near`` at once; None if one of them is corrupt, which is to be found alone.

        Raises:
            StorageError: See ``fetch``.
        """
        located = [self._corpus.index_row(sample.row) for sample in samples]
        try:
            stored = self._try_again(partial(self._readers[located[0][0]].read_many, [row for _, row in located]))
        except StorageError:
            raise
        except ShardError:
            return None
        return [self._whole(one.record, one.images) for one in stored]

    def _is_split(self, sample: PlannedSample) -> bool:
        return sample.span.start > 0 or sample.span.stop < self._corpus.num_ids(sample.row)

    def _is_read_whole(self, sample: PlannedSample, row: Mapping[str, Any]) -> bool:
        """Say whether all is needed; of a small sample on an object store, a second request would cost more."""
        if self._is_split(sample):
            return False
        is_small = not self.is_local and row["num_bytes"] <= MAX_GAP_BYTES
        return is_small or sample.span.num_images >= len(row["parts"]) - 1  # more where images are cut into crops

    def _whole(self, record: dict[str, Any], images: Sequence[bytes]) -> Fetched:
        return Fetched(encoded=self._encoder.encode([record])[0], images=dict(enumerate(images)))

    def _encode_alone(self, folder: str, row: Mapping[str, Any]) -> Encoded | SampleFault:
        record = self._try_again(partial(read_json_part, self._readers[folder], row))
        return self._encoder.encode([record])[0]

    def _try_again(self, read: Callable[[], T]) -> T:
        deadline_s, wait_s = time.monotonic() + self._patience_s, FIRST_WAIT_S
        while True:
            try:
                return read()
            except StorageError:
                if time.monotonic() + wait_s > deadline_s or self._is_closed.wait(wait_s):
                    raise
                wait_s = min(2 * wait_s, MAX_WAIT_S)


def places_of_sample(encoded: Encoded, sample: PlannedSample, *, image_token_id: int) -> range:
    """Return the numbers, counted over the document, of the placeholders that lie in a sample's part of it."""
    places = np.flatnonzero(encoded.ids == image_token_id)
    first, last = np.searchsorted(places, [sample.span.start, sample.span.stop])
    return range(int(first), int(last))
