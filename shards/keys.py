"""Finds keys that occur more than once in a set whose shards are read by different processes.

A key of ours starts with its shard's digits, so keys of two shards differ by themselves and nothing need be kept of
them. What must be compared is told by each shard: keys of another form or of another shard's digits, and those it has
more than once. They travel as hashes of 64 bits; the keys themselves are asked for once it is known which.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from shards.index import SEQUENCE_DIGITS, SHARD_DIGITS

Hashes: TypeAlias = npt.NDArray[np.uint64]
_FORM = re.compile(rf"([0-9]{{{SHARD_DIGITS}}})[0-9]{{{SEQUENCE_DIGITS}}}")


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyReport:
    """What other shards must know of the keys of one; empty of a shard as we write it."""

    suspects: Hashes
    """Of each sample whose key is not of this shard's form, or is there twice; 8 bytes each."""
    claims: dict[str, Hashes]
    """By another shard's file name: of keys that have its form."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyCounts:
    """How often keys that others asked for occur in one shard."""

    shard: str
    hashes: Hashes
    """In the order of their first samples."""
    counts: npt.NDArray[np.int64]
    keys: tuple[str, ...]
    """The first of them."""


def hash_texts(texts: Iterable[str]) -> Hashes:
    """Return 64 bits of a hash of each text."""
    digests = [hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest() for text in texts]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def report_keys(shard: str, keys: Sequence[str]) -> KeyReport:
    """Return what others must know of a shard's keys.

    Args:
        shard: Its file name.
        keys: Of all its samples.
    """
    owners = [_owner(key) for key in keys]
    seen, twice = set[str](), set[str]()
    for key in keys if len(set(keys)) < len(keys) else ():
        (twice if key in seen else seen).add(key)
    suspects = [key for key, owner in zip(keys, owners, strict=True) if owner != shard or key in twice]
    claims: dict[str, list[str]] = {}
    for key, owner in zip(keys, owners, strict=True):
        if owner is not None and owner != shard:
            claims.setdefault(owner, []).append(key)
    return KeyReport(suspects=hash_texts(suspects), claims={name: hash_texts(one) for name, one in claims.items()})


def _owner(key: str) -> str | None:
    """Return the file name of the shard whose form a key has."""
    found = _FORM.fullmatch(key)
    return f"{found[1]}.tar" if found is not None else None


def find_suspects(reports: Mapping[str, KeyReport]) -> dict[str, Hashes]:
    """Return which keys must be looked up, by shard; no shard where no key can occur twice.

    Args:
        reports: Of every shard of the set, by its file name.
    """
    values, counts = np.unique(_concat(report.suspects for report in reports.values()), return_counts=True)
    asked: dict[str, list[Hashes]] = {}
    for report in reports.values():
        for name, hashes in report.claims.items():
            if name in reports:
                asked.setdefault(name, []).append(hashes)
    wanted = np.union1d(values[counts > 1], _concat(one for hashes in asked.values() for one in hashes))
    of_shard = {
        name: np.union1d(np.intersect1d(report.suspects, wanted), _concat(asked.get(name, ())))
        for name, report in reports.items()
    }
    return {name: hashes for name, hashes in of_shard.items() if len(hashes)}


def count_suspects(shard: str, keys: Iterable[str], hashes: Hashes, *, max_keys: int) -> KeyCounts:
    """Count those of a shard's keys that were asked for.

    Args:
        shard: Its file name.
        keys: Of all its samples.
        hashes: Of those that were asked for, sorted.
        max_keys: Keys to spell out.
    """
    every = list(keys)
    hashed = hash_texts(every)
    is_asked = np.isin(hashed, hashes)
    found, first, counts = np.unique(hashed[is_asked], return_index=True, return_counts=True)
    order = np.argsort(first)
    places = np.flatnonzero(is_asked)[first[order]]
    return KeyCounts(
        shard=shard, hashes=found[order], counts=counts[order], keys=tuple(every[place] for place in places[:max_keys])
    )


def describe_duplicates(found: Collection[KeyCounts]) -> list[tuple[str, list[str], int]]:
    """Return, by shard in order of names, its faults that are spelt out and how many there are in all.

    Args:
        found: Of all shards that were asked.
    """
    values, inverse = np.unique(_concat(one.hashes for one in found), return_inverse=True)
    totals = np.zeros(len(values), dtype=np.int64)
    np.add.at(totals, inverse, np.concatenate([np.zeros(0, np.int64), *(one.counts for one in found)]))
    described = []
    for one in sorted(found, key=lambda one: one.shard):
        of_key = totals[np.searchsorted(values, one.hashes)]
        faults = [
            f"{one.shard}, sample {key}: the key occurs {count} times in the set"
            for key, count in zip(one.keys, of_key.tolist(), strict=False)
            if count > 1
        ]
        described.append((one.shard, faults, int(np.count_nonzero(of_key > 1))))
    return described


def _concat(parts: Iterable[Hashes]) -> Hashes:
    return np.concatenate([np.zeros(0, dtype=np.uint64), *parts])
