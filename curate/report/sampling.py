"""A bounded sample of documents that depends on their ids alone, not on the order or number of partitions."""

import bisect
import hashlib
from collections.abc import Iterable, Mapping
from typing import Self

Group = tuple[str, ...]
"""What a document stands for in the gallery, such as ``("document", "pair", "image.clip")``."""


def sample_rank(doc_id: str) -> bytes:
    """Return what the sample is ordered by: a hash, so that no id scheme is favoured."""
    return hashlib.blake2b(doc_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()


class SmallestHashes:
    """Keeps, per group, the documents with the smallest hashes: a bottom-k sample.

    The bottom-k of a union is the bottom-k of the bottom-ks, so partitions may come in any order and any cut.
    """

    def __init__(self) -> None:
        self._groups: dict[Group, list[tuple[bytes, str]]] = {}
        self._sizes: dict[Group, int] = {}

    def offer(self, doc_id: str, groups: Mapping[Group, int]) -> None:
        """Let a document in where it belongs.

        Args:
            doc_id: A document that was not offered before.
            groups: Its groups, each with the number of documents that the group may hold.
        """
        entry = (sample_rank(doc_id), doc_id)
        for group, size in groups.items():
            members = self._groups.setdefault(group, [])
            self._sizes[group] = size
            if len(members) < size or entry < members[-1]:
                bisect.insort(members, entry)
                del members[size:]

    def merge(self, other: Self) -> None:
        """Let in what another sample holds of other documents, by the sizes that its groups have."""
        for group, entries in other._groups.items():
            size = max(self._sizes.get(group, 0), other._sizes[group])
            members = self._groups.setdefault(group, [])
            members[:] = sorted([*members, *entries])[:size]
            self._sizes[group] = size

    def members(self) -> set[str]:
        """Return the ids that some group holds now."""
        return {doc_id for members in self._groups.values() for _, doc_id in members}


def order_by_rank(doc_ids: Iterable[str]) -> list[str]:
    """Return ids in the order of their hashes."""
    return sorted(doc_ids, key=lambda doc_id: (sample_rank(doc_id), doc_id))
