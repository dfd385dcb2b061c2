"""Which samples each weight of a blend stands for, and its exact share along the run."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.blend.curve import ShareCurve
from curate.blend.weights import Weight, resolve_course
from curate.contract.errors import BlendError
from curate.contract.reasons import Kind

Rows = npt.NDArray[np.int64]

_KINDS = frozenset(str(kind) for kind in Kind)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
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


def resolve_entries(pool: pa.Table, weights: Mapping[str, Weight]) -> tuple[list[Entry], Rows]:
    """Give every sample of the pool to the weight that covers it.

    A name that is a kind stands for all samples of the kind whose source is not named itself; any other name is a
    source. A named source with weight zero is therefore kept out of its kind.

    Args:
        pool: Schema POOL.
        weights: Weight by name; not empty.

    Returns:
        Entries sorted by name, and the pool rows that no weight covers.

    Raises:
        BlendError: A name that nothing in the pool has, a document listed twice, or no weight above zero.
    """
    by_doc_id = _sort_by_doc_id(pool)
    sources = pool["source"].to_numpy(zero_copy_only=False)[by_doc_id]
    kinds = pool["kind"].to_numpy(zero_copy_only=False)[by_doc_id]
    named = [name for name in weights if name not in _KINDS]
    unnamed = ~np.isin(sources, named)
    try:
        course = resolve_course(weights)
    except ValueError as error:
        raise BlendError(f"blend.weights: {error}") from error
    covered = np.zeros(pool.num_rows, dtype=bool)
    entries = []
    for name in sorted(weights):
        mask = (kinds == name) & unnamed if name in _KINDS else sources == name
        if not mask.any():
            raise BlendError(_unknown_name(name, sources=sources, kinds=kinds))
        covered |= mask
        entries.append(
            Entry(
                name=name,
                weight=weights[name],
                places=course.places,
                is_relative=course.is_relative,
                shares=course.shares[name],
                rows=by_doc_id[mask],
            )
        )
    return entries, by_doc_id[~covered]


def _sort_by_doc_id(pool: pa.Table) -> Rows:
    order: Rows = pc.sort_indices(pool["doc_id"]).to_numpy().astype(np.int64)
    ids = pool["doc_id"].take(order)
    if len(ids) > 1:
        repeated = pc.equal(ids.slice(1), ids.slice(0, len(ids) - 1))
        if pc.any(repeated).as_py():
            twice = ids.slice(1).filter(repeated)[0].as_py()
            raise BlendError(f"the pool lists document {twice} twice; it may be in one source only")
    return order


def _unknown_name(name: str, *, sources: npt.NDArray[np.object_], kinds: npt.NDArray[np.object_]) -> str:
    known_sources, known_kinds = sorted(set(sources)), sorted(set(kinds))
    close = difflib.get_close_matches(name, [*known_sources, *known_kinds], n=1)
    hint = f"did you mean {close[0]}?" if close else "remove the weight or add documents"
    what = "kind without samples left to it" if name in _KINDS else "neither a source nor a kind in the pool"
    listed = re.sub(r"[\[\]']", "", f"sources {known_sources}, kinds {known_kinds}")
    return f"blend.weights.{name}: {what} ({listed}); {hint}"
