"""What lies in a run folder beside its measures: shard sets, the decisions that they were made from, leftovers."""

from dataclasses import dataclass

import fsspec

from curate.contract.errors import CurateError
from pipelines.run.folder import RunFolder, read_json, remove_folder
from shards.manifest import MANIFEST_NAME

LEFT_OVER = ("shuffle", "pairs/hashes", "pairs/vectors", "blend/spool")
"""Folders that phases remove when they are done; a killed run may leave them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardSet:
    """One shard set of a run."""

    name: str
    decision: str | None
    """That it was made from; None: of an earlier build, which did not say."""
    num_samples: int
    is_finished: bool
    """Its manifest, which is written last, is there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredDecision:
    """One decision of a run."""

    name: str
    is_finished: bool
    used_by: tuple[str, ...]
    """Names of shard sets."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Removable:
    """Something that ``curate clean`` removes."""

    path: str
    why: str
    size_bytes: int


def list_sets(folder: RunFolder) -> list[ShardSet]:
    """Return the planned shard sets by name."""
    found = []
    for name in _list(folder.file("blend")):
        summary = read_json(folder.file("blend", name)) if name.endswith(".json") else None
        if isinstance(summary, dict) and "samples" in summary:
            stem = name.removesuffix(".json")
            is_finished = MANIFEST_NAME in _list(folder.file("shards", stem))
            decision, num_samples = summary.get("decision"), summary["samples"]
            found.append(ShardSet(name=stem, decision=decision, num_samples=num_samples, is_finished=is_finished))
    return found


def list_decisions(folder: RunFolder) -> list[StoredDecision]:
    """Return the decisions by name."""
    sets = list_sets(folder)
    return [
        StoredDecision(
            name=name,
            is_finished=read_json(folder.file("decided", name, "counts.json")) is not None,
            used_by=tuple(one.name for one in sets if one.decision == name),
        )
        for name in _list(folder.file("decided"))
    ]


def list_removable(folder: RunFolder) -> list[Removable]:
    """Return what no shard set needs: decisions that none was made from, and what killed runs left.

    Raises:
        CurateError: There is no run in the folder.
    """
    if read_json(folder.file("state.json")) is None:
        raise CurateError(f"{folder.root}: no run here")
    unused = [
        ("decided/" + one.name, "no shard set was made from it") for one in list_decisions(folder) if not one.used_by
    ]
    left = [(place, "a killed run left it") for place in LEFT_OVER if _list(folder.file(place))]
    return [
        Removable(path=folder.file(place), why=why, size_bytes=_size_bytes(folder.file(place)))
        for place, why in [*unused, *left]
    ]


def remove(found: list[Removable]) -> None:
    """Remove these."""
    for one in found:
        remove_folder(one.path)


def _list(folder: str) -> list[str]:
    file_system, path = fsspec.url_to_fs(folder)
    try:
        return sorted(str(one).rstrip("/").rpartition("/")[2] for one in file_system.ls(path, detail=False))
    except FileNotFoundError:
        return []


def _size_bytes(folder: str) -> int:
    file_system, path = fsspec.url_to_fs(folder)
    return sum(int(size or 0) for size in file_system.du(path, total=False).values())
