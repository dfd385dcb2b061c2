"""Which samples each weight of a blend stands for, and its exact share along the run."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.blend.covering import Group, assign_groups
from curate.blend.curve import ShareCurve
from curate.blend.weights import Weight, resolve_course
from curate.contract.errors import BlendError

Rows = npt.NDArray[np.int64]

_BETWEEN = "\n"
"""Stands in no source's name."""


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
    rows: Rows
    """Rows of the pool, sorted by doc_id."""

    def curve(self, total: int) -> ShareCurve:
        """Return the share along a run of ``total`` units."""
        knots = tuple(place * total for place in self.places) if self.is_relative else self.places
        return ShareCurve(knots=knots, shares=self.shares)


def resolve_entries(pool: pa.Table, weights: Mapping[str, Weight]) -> tuple[list[BlendEntry], Rows]:
    """Give every sample of the pool to the weight that covers it; see ``assign_groups``.

    Args:
        pool: Schema POOL.
        weights: Weight by name; not empty.

    Returns:
        Entries sorted by name, and the pool rows that no weight covers.

    Raises:
        BlendError: A name that nothing in the pool has, a document listed twice, or no weight above zero.
    """
    by_doc_id = _sort_by_doc_id(pool)
    try:
        course = resolve_course(weights)
    except ValueError as error:
        raise BlendError(f"blend.weights: {error}") from error
    groups, group_of = _groups(pool)
    group_of = group_of[by_doc_id]
    covered = assign_groups(groups, weights, where="blend.weights")
    rows = {
        name: by_doc_id[np.isin(group_of, [number for number, group in enumerate(groups) if group in own])]
        for name, own in covered.items()
    }
    entries = [
        BlendEntry(
            name=name,
            weight=weights[name],
            places=course.places,
            is_relative=course.is_relative,
            shares=course.shares[name],
            rows=rows[name],
        )
        for name in covered
    ]
    every = set().union(*covered.values())
    return entries, by_doc_id[np.isin(group_of, [number for number, group in enumerate(groups) if group not in every])]


def _groups(pool: pa.Table) -> tuple[list[Group], Rows]:
    """Return the (source, kind) that occur, and the place of each row's among them."""
    pairs = pool.select(["source", "kind"]).combine_chunks()
    distinct = pairs.group_by(["source", "kind"]).aggregate([])
    groups = list(zip(distinct["source"].to_pylist(), distinct["kind"].to_pylist(), strict=True))
    joined = pc.binary_join_element_wise(*(pairs[name].cast(pa.string()) for name in ("source", "kind")), _BETWEEN)
    named = pa.array([_BETWEEN.join(group) for group in groups], pa.string())
    return groups, np.asarray(pc.index_in(joined, value_set=named).to_numpy(), dtype=np.int64)


def _sort_by_doc_id(pool: pa.Table) -> Rows:
    order: Rows = pc.sort_indices(pool["doc_id"]).to_numpy().astype(np.int64)
    ids = pool["doc_id"].take(order)
    if len(ids) > 1:
        repeated = pc.equal(ids.slice(1), ids.slice(0, len(ids) - 1))
        if pc.any(repeated).as_py():
            twice = ids.slice(1).filter(repeated)[0].as_py()
            raise BlendError(f"the pool lists document {twice} twice; it may be in one source only")
    return order
