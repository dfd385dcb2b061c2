"""Which samples of a corpus a run may draw: sources, kinds, and its side of the split by document."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from curate.blend.weights import Weight
from curate.contract.errors import ShardError

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

    def takes(self, group: tuple[str, str]) -> bool:
        """Say whether samples of a (source, kind) are taken."""
        source, kind = group
        return (self.sources is None or source in self.sources) and (self.kinds is None or kind in self.kinds)

    def on_side(self, buckets: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
        """Say of each document [K] whether it is on this side of the split."""
        is_validation = buckets < int(self.validation_share * HASH_RANGE)
        return is_validation if self.side == "validation" else ~is_validation


def assign_entries(groups: Collection[tuple[str, str]], names: Collection[str]) -> dict[str, set[tuple[str, str]]]:
    """Return the groups that each weight stands for: a source's own name goes before its kind.

    Raises:
        ShardError: A name that is neither a source nor a kind, or one without any group left to it.
    """
    named_sources = {source for source, _ in groups} & set(names)
    found: dict[str, set[tuple[str, str]]] = {name: set() for name in sorted(names)}
    for source, kind in groups:
        name = source if source in named_sources else kind
        if name in found:
            found[name].add((source, kind))
    for name, own in found.items():
        if not own:
            listed = ", ".join(sorted({f"{source} ({kind})" for source, kind in groups}))
            raise ShardError(f"data.weights.{name}: no sample of this source or kind is left to it; there are {listed}")
    return found
