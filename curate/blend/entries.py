"""Which samples each weight of a blend stands for, and its exact share along the run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from curate.blend.chunks import Rows, chunks
from curate.blend.covering import Group, assign_groups
from curate.blend.curve import ShareCurve
from curate.blend.pool import Pool
from curate.blend.sorting import part_rows, sort_words
from curate.blend.weights import Weight, resolve_course
from curate.contract.errors import BlendError


@dataclass(frozen=True, kw_only=True, slots=True)
class BlendEntry:
    """One weight and what it stands for."""

    name: str
    """A source's name or a kind."""
    weight: Weight
    """As in the recipe."""
    places: tuple[Fraction, ...]
    """Where shares are given, rising from 0: shares of the run or amounts, the same for all entries of a blend."""
    is_relative: bool
    """Places are shares of the run."""
    shares: tuple[Fraction, ...]
    """Due part of the blend at each place, 0..1; at every place the shares of a blend add up to exactly 1."""
    groups: tuple[int, ...]
    """Places in the pool's ``group_names`` of what it stands for, rising; no other entry has them."""

    def curve(self, total: int) -> ShareCurve:
        """Return the share along a run of ``total`` units."""
        knots = tuple(place * total for place in self.places) if self.is_relative else self.places
        return ShareCurve(knots=knots, shares=self.shares)


def resolve_entries(group_names: Sequence[Group], weights: Mapping[str, Weight]) -> list[BlendEntry]:
    """Give every group of a pool to the weight that covers it; see ``assign_groups``.

    Args:
        group_names: Of the pool.
        weights: Weight by name; not empty.

    Returns:
        Entries sorted by name; a group may be in none.

    Raises:
        BlendError: A name that nothing in the pool has, or no weight above zero.
    """
    try:
        course = resolve_course(weights)
    except ValueError as error:
        raise BlendError(f"blend.weights: {error}") from error
    covered = assign_groups(group_names, weights, where="blend.weights")
    return [
        BlendEntry(
            name=name,
            weight=weights[name],
            places=course.places,
            is_relative=course.is_relative,
            shares=course.shares[name],
            groups=tuple(number for number, group in enumerate(group_names) if group in own),
        )
        for name, own in covered.items()
    ]


def rows_by_entry(pool: Pool, entries: Sequence[BlendEntry]) -> list[Rows]:
    """Return the pool rows of each entry, sorted by hash.

    Raises:
        BlendError: A document listed twice.
    """
    label_of_group = np.full(len(pool.group_names), len(entries), dtype=np.int64)
    for number, entry in enumerate(entries):
        label_of_group[list(entry.groups)] = number
    return part_rows(_sort_by_hash(pool), pool.groups, label_of_group, len(entries) + 1)[:-1]


def _sort_by_hash(pool: Pool) -> Rows:
    order = sort_words(pool.hashes)
    for part in chunks(max(0, len(order) - 1)):
        rows = order[part.start : part.stop + 1]
        hashes = pool.hashes[rows]
        repeated = np.flatnonzero(hashes[1:] == hashes[:-1])
        if len(repeated):
            places = np.searchsorted(pool.starts, rows[repeated[0] : repeated[0] + 2], side="right") - 1
            first, second = (pool.partitions[place] for place in sorted(places.tolist()))
            raise BlendError(f"the pool lists a document twice, in {first} and in {second}; it may be in one only")
    return order
