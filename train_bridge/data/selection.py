"""Which samples of a corpus a run may draw: sources, kinds, and its side of the split by document."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from curate.blend.weights import Weight

HASH_RANGE = 1 << 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """What is taken of the shard sets."""

    kinds: Collection[str] | None = None
    """None: all."""
    sources: Collection[str] | None = None
    """None: all."""
    side: Literal["train", "validation"] = "train"
    """Of the split."""
    validation_share: float = 0.0
    """Of the documents: those with the smallest hash of their doc_id, whatever the set they are in."""
    weights: dict[str, Weight] = field(default_factory=dict)
    """Share of each source or kind, see ``curate.blend.weights``; empty: one entry, in the order of the sets."""
    max_repeats: dict[str, int] = field(default_factory=dict)
    """Times that a pass may use each document of an entry; 1 where it says nothing."""

    def takes(self, group: tuple[str, str]) -> bool:
        """Say whether samples of a (source, kind) are taken."""
        source, kind = group
        return (self.sources is None or source in self.sources) and (self.kinds is None or kind in self.kinds)

    def on_side(self, buckets: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
        """Say of each document [K] whether it is on this side of the split."""
        is_validation = buckets < int(self.validation_share * HASH_RANGE)
        return is_validation if self.side == "validation" else ~is_validation
