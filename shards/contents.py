"""What is in a shard set, for its card: counted shard by shard, in memory that hardly grows with the set."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from shards.keys import Hashes, hash_texts

Group = tuple[str, str]
"""(source, kind)."""


@dataclass(kw_only=True, slots=True)
class Spread:
    """How often each whole number occurs: least, median and most are exact, however many numbers there were."""

    counts: Counter[int] = field(default_factory=Counter)

    def add(self, values: npt.NDArray[np.integer]) -> None:
        """Count ``values``, [N]."""
        found, numbers = np.unique(values, return_counts=True)
        self.counts.update(dict(zip(found.tolist(), numbers.tolist(), strict=True)))

    def __str__(self) -> str:
        """Return least, most and median; there must be a value."""
        values = sorted(self.counts)
        ends = list(accumulate(self.counts[value] for value in values))
        middle = [
            values[int(np.searchsorted(ends, place, side="right"))] for place in ((ends[-1] - 1) // 2, ends[-1] // 2)
        ]
        return f"{values[0]:,} to {values[-1]:,}, median {sum(middle) // 2:,}"


@dataclass(kw_only=True, slots=True)
class SetContents:
    """The samples of a set."""

    num_shards: int = 0
    max_images: int = 0
    """Of one sample."""
    samples: Counter[Group] = field(default_factory=Counter)
    images: Counter[Group] = field(default_factory=Counter)
    words: Counter[Group] = field(default_factory=Counter)
    words_of_samples: Spread = field(default_factory=Spread)
    images_of_samples: Spread = field(default_factory=Spread)
    sides_px: Spread = field(default_factory=Spread)
    """The shorter one of each image."""
    documents: list[Hashes] = field(default_factory=list)
    """Of each sample's doc_id: 8 bytes a sample, the one thing that grows."""

    def add(self, index: pa.Table) -> None:
        """Count one shard by its rows of SHARD_INDEX."""
        self.num_shards += len(index["shard"].unique())
        aggregates = [("key", "count"), ("num_images", "sum"), ("num_words", "sum")]
        for row in index.group_by(["source", "kind"], use_threads=False).aggregate(aggregates).to_pylist():
            group = (row["source"], row["kind"])
            self.samples[group] += row["key_count"]
            self.images[group] += row["num_images_sum"]
            self.words[group] += row["num_words_sum"]
        self.max_images = max(self.max_images, pc.max(index["num_images"]).as_py() or 0)
        self.words_of_samples.add(index["num_words"].to_numpy())
        self.images_of_samples.add(index["num_images"].to_numpy())
        widths, heights = (pc.list_flatten(index[name]).to_numpy() for name in ("image_widths", "image_heights"))
        self.sides_px.add(np.minimum(widths, heights))
        self.documents.append(hash_texts(index["doc_id"].to_pylist()))

    def count_documents(self) -> int:
        """Return how many documents differ."""
        hashes = np.concatenate(self.documents)
        hashes.sort()  # np.unique makes a hash table of 48 bytes a number
        return int(np.count_nonzero(hashes[1:] != hashes[:-1])) + 1 if len(hashes) else 0
