"""Who stays of images that are copies of one another: the first in input order.

An image is removed only if it is a copy of an image that is itself kept (the star rule). Chains do not count: where A
is like B and B like C, but A is not like C, removing B for A leaves C. Joining all three would throw away images unlike
anything that is kept. A document that falls, because too little is left of it, shields nobody: its images are
forgotten.

Only documents with an image in a pair have to be looked at, and of them ids and pairs alone.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.contract.reasons import Reason
from curate.dedup.config import ImageDedupConfig
from curate.dedup.similar import ROUNDING

Ints = npt.NDArray[np.int64]


class Copy(NamedTuple):
    """One image that is a copy of a kept one."""

    image: int
    """Number in the run."""
    reason: str
    """``dedup.exact`` or ``dedup.cosine``."""
    original: str
    """The kept image, as ``doc_id:position``: the most similar one, the first of equals."""


class StandingDocument(NamedTuple):
    """A document that stands before copies are looked for."""

    doc_id: str
    images: Sequence[int]
    """Numbers of the images that stand and are in a pair, rising."""
    positions: Sequence[int]
    """Of these images."""
    stands_with: Sequence[bool]
    """[k] whether it stands with k images left, from 0 to all that it has now."""


class _Kept(NamedTuple):
    image: int
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairs:
    """Which images may be copies of which. A group is what has equal bytes; most groups are one image."""

    images: Ints
    """[K] numbers, rising, of all that are in a pair."""
    groups: Ints
    """[K] of each."""
    starts: Ints
    """[G + 1] where the neighbours of each group start."""
    neighbours: Ints
    """Groups that a group is similar to, itself among them where that can be told."""
    cosines: npt.NDArray[np.float64]
    """Of each neighbour."""

    def groups_of(self, images: Sequence[int]) -> list[int]:
        """Return the groups of images that are in a pair."""
        found: list[int] = self.groups[np.searchsorted(self.images, np.asarray(images, dtype=np.int64))].tolist()
        return found

    def similar_to(self, group: int) -> Iterator[tuple[int, float]]:
        """Yield the groups that are similar to one, and how similar."""
        own = slice(self.starts[group], self.starts[group + 1])
        yield from zip(self.neighbours[own].tolist(), self.cosines[own].tolist(), strict=True)


def index_pairs(equal: pa.Table, similar: pa.Table, config: ImageDedupConfig) -> Pairs:
    """Return the pairs that a recipe asks for.

    Args:
        equal: EQUAL_IMAGES.
        similar: SIMILAR_IMAGES between first images of equal bytes; a pair of one image says that it can be compared.
        config: What counts as a copy; proposed pairs that are less similar than it asks for are left out.
    """
    least = np.inf if config.cosine is None else config.cosine - ROUNDING
    near = similar.filter(pa.array(similar["cosine"].to_numpy() >= least))
    first, second = near["first"].to_numpy(), near["second"].to_numpy()
    members, firsts = equal["image"].to_numpy(), equal["first"].to_numpy()
    # Documents name the images of every proposed pair, those left out too: they are groups without neighbours.
    images = np.unique(np.concatenate([members, similar["first"].to_numpy(), similar["second"].to_numpy()]))
    group_images = images.copy()
    group_images[np.searchsorted(images, members)] = firsts
    names, groups = np.unique(group_images, return_inverse=True)
    left, right = np.searchsorted(names, first), np.searchsorted(names, second)
    is_self = left == right
    owners = np.concatenate([left, right[~is_self]])
    order = np.argsort(owners, kind="stable")
    return Pairs(
        images=images,
        groups=groups.astype(np.int64),
        starts=np.searchsorted(owners[order], np.arange(len(names) + 1)),
        neighbours=np.concatenate([right, left[~is_self]])[order],
        cosines=np.concatenate([near["cosine"].to_numpy(), near["cosine"].to_numpy()[~is_self]])[order],
    )


def settle(documents: Iterable[StandingDocument], pairs: Pairs, *, exact: bool) -> Iterator[Copy]:
    """Yield the copies, in input order.

    Args:
        documents: In input order.
        pairs: Of their images.
        exact: Whether equal bytes make a copy; otherwise their similarity does.
    """
    kept: dict[int, _Kept] = {}
    for document in documents:
        own: dict[int, _Kept] = {}
        num_left = len(document.stands_with) - 1
        for image, position, group in zip(
            document.images, document.positions, pairs.groups_of(document.images), strict=True
        ):
            copy = _find_original(image, group, (kept, own), pairs, exact=exact)
            if copy is None:
                own.setdefault(group, _Kept(image, f"{document.doc_id}:{position}"))
            else:
                num_left -= 1
                yield copy
        if document.stands_with[num_left]:
            kept.update(own)


def _find_original(
    image: int, group: int, kept: tuple[dict[int, _Kept], dict[int, _Kept]], pairs: Pairs, *, exact: bool
) -> Copy | None:
    if exact:
        same = kept[0].get(group) or kept[1].get(group)
        if same is not None:
            return Copy(image, str(Reason.DEDUP_EXACT), same.name)
    best: _Kept | None = None
    best_cosine = -1.0
    for other, cosine in pairs.similar_to(group):
        for names in kept:
            found = names.get(other)
            if found is None:
                continue
            if best is None or cosine > best_cosine or (cosine == best_cosine and found.image < best.image):
                best, best_cosine = found, cosine
    return None if best is None else Copy(image, str(Reason.DEDUP_COSINE), best.name)
