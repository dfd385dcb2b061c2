"""Counts the distinct documents of a set and their images, by source: a blend may hold a document more than once.

The index is read by tasks of some row groups each. Documents are told apart by 64 bits, which a ``doc_id`` of ours is
already; those of a large set are taken in several rounds, each of a part of all ids, so that memory has a bound.
"""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.contract.errors import ShardError
from curate.contract.ids import DOC_ID_HEX_DIGITS
from curate.contract.tasks import MapTasks, map_here
from shards.index_layout import read_columns, read_group_sizes
from shards.keys import Hashes, hash_texts

ROUND_SAMPLES = 8_000_000
"""Of a round, 12 bytes each and as much again while they are sorted."""
TASK_SAMPLES = 500_000
_COLUMNS = ["source", "doc_id", "num_images"]
_OURS = re.compile(rf"[0-9a-f]{{{DOC_ID_HEX_DIGITS}}}")
_Images: TypeAlias = npt.NDArray[np.int32]
_Found: TypeAlias = dict[str, tuple[Hashes, _Images]]
"""Distinct documents by source: 64 bits of each, ascending, and the images of the sample of it that has most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentCounts:
    """Of one source."""

    documents: int
    images: int
    """Of each document once."""


def count_documents(folder: str, *, map_tasks: MapTasks = map_here) -> dict[str, DocumentCounts]:
    """Return what an index holds of each source.

    Args:
        folder: The shard set, local or an fsspec URL.
        map_tasks: Reads parts of the index; by default this process, one after the other.

    Raises:
        ShardError: No index, or not one of this format.
    """
    sizes, token = read_group_sizes(folder)
    jobs = {f"{groups[0]}-{groups[-1]}": groups for groups in _gather(sizes)}
    num_rounds = max(1, -(-sum(sizes) // ROUND_SAMPLES))
    counts: dict[str, DocumentCounts] = {}
    for number in range(num_rounds):
        call = functools.partial(find_documents, folder=folder, token=token, part=(number, num_rounds))
        parts: dict[str, list[tuple[Hashes, _Images]]] = {}
        for found in map_tasks(call, jobs, phase="documents of the index"):
            if isinstance(found, str):
                raise ShardError(found)
            for source, of_source in found.items():
                parts.setdefault(source, []).append(of_source)
        for source in list(parts):
            _, images = _distinct(*map(np.concatenate, zip(*parts.pop(source), strict=True)))
            before = counts.get(source, DocumentCounts(documents=0, images=0))
            counts[source] = DocumentCounts(
                documents=before.documents + len(images), images=before.images + int(images.sum(dtype=np.int64))
            )
    return counts


def find_documents(groups: Sequence[int], *, folder: str, token: str, part: tuple[int, int]) -> _Found | str:
    """Return the distinct documents in some row groups of an index, or why they cannot be read.

    Args:
        groups: Numbers of the row groups.
        folder: Of the set.
        token: From ``read_group_sizes``.
        part: Which part of all ids to take, of how many.
    """
    try:
        table = read_columns(folder, groups, columns=_COLUMNS, token=token)
    except ShardError as error:
        return str(error)
    sources = table["source"].combine_chunks().dictionary_encode()
    codes, images = sources.indices.to_numpy(), table["num_images"].to_numpy()
    numbers = number_documents(table["doc_id"].combine_chunks())
    is_mine = numbers % np.uint64(part[1]) == part[0]
    found = {}
    for code, source in enumerate(sources.dictionary.to_pylist()):
        own = is_mine & (codes == code)
        found[source] = _distinct(numbers[own], images[own])
    return found


def number_documents(doc_ids: pa.StringArray) -> Hashes:
    """Return 64 bits of each id: those that it writes out in hexadecimal digits, or of its hash.

    Args:
        doc_ids: N ids, none null.
    """
    texts = doc_ids.to_pylist()
    ours = [_OURS.fullmatch(text) is not None for text in texts]
    numbers = np.zeros(len(texts), dtype=np.uint64)
    digits = "".join(text for text, is_ours in zip(texts, ours, strict=True) if is_ours)
    numbers[np.array(ours, dtype=bool)] = np.frombuffer(bytes.fromhex(digits), dtype=">u8")
    others = [text for text, is_ours in zip(texts, ours, strict=True) if not is_ours]
    numbers[~np.array(ours, dtype=bool)] = hash_texts(others)
    return numbers


def _gather(sizes: Sequence[int]) -> list[tuple[int, ...]]:
    """Return runs of row groups that have ``TASK_SAMPLES`` rows together, or little more."""
    runs: list[tuple[int, ...]] = []
    num_rows = TASK_SAMPLES
    for group, size in enumerate(sizes):
        if num_rows >= TASK_SAMPLES:
            runs.append(())
            num_rows = 0
        runs[-1] = (*runs[-1], group)
        num_rows += size
    return runs


def _distinct(numbers: Hashes, images: _Images) -> tuple[Hashes, _Images]:
    order = np.lexsort((images, numbers))
    numbers, images = numbers[order], images[order]
    is_last = np.append(numbers[1:] != numbers[:-1], np.ones(min(1, len(numbers)), dtype=bool))
    return numbers[is_last], images[is_last]
