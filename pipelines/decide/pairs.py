"""Which pairs of images may be copies: proposed where they are not known yet, by phases of tasks."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations_with_replacement
from typing import Any

from curate.contract.reasons import Stage
from curate.dedup.config import ImageDedupConfig
from pipelines.decide.propose import (
    choose_axes,
    compare_blocks,
    equal_path,
    list_hashes,
    list_members,
    pair_equal,
    similar_path,
    store_vectors,
)
from pipelines.engine.loop import call_on
from pipelines.run.context import RunContext, stage_fingerprint
from pipelines.run.folder import list_names, read_json, remove_folder, write_json
from pipelines.run.manifest import Fold, Manifest, count_buckets, cut_folds
from pipelines.run.workers import Workers
from shards.storage import remove_file

_task = partial(call_on, Stage.PROPOSE)

VERSION = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposed:
    """The pairs of a run."""

    folds: tuple[Fold, ...]
    equal: tuple[str, ...]
    """Paths of EQUAL_IMAGES."""
    similar: tuple[str, ...]
    """Paths of SIMILAR_IMAGES; empty where no similarity is asked for."""
    kinds: tuple[str, ...]
    """Of members that have to be looked at."""


def load_or_propose(workers: Workers, context: RunContext, manifest: Manifest, config: ImageDedupConfig) -> Proposed:
    """Return the stored pairs if they were made from the same images, at a threshold that is no stricter.

    Args:
        workers: Of the run.
        context: The run.
        manifest: Of the run.
        config: Which pairs are asked for.
    """
    folds = cut_folds(manifest.partitions)
    equal = _propose_equal(workers, context, manifest, folds)
    if config.cosine is None:
        return Proposed(folds=tuple(folds), equal=equal, similar=(), kinds=("equal",))
    similar = _propose_similar(workers, context, manifest, folds, least=config.cosine)
    return Proposed(folds=tuple(folds), equal=equal, similar=similar, kinds=("equal", "similar"))


def _propose_equal(workers: Workers, context: RunContext, manifest: Manifest, folds: Sequence[Fold]) -> tuple[str, ...]:
    num_buckets = count_buckets(len(folds))
    paths = tuple(equal_path(context, bucket) for bucket in range(num_buckets))
    note = context.folder.file("pairs", "equal.json")
    made_from = stage_fingerprint("equal", VERSION, {}, [manifest.digest("facts")])
    if read_json(note) == {"made_from": made_from} and _are_there(context, "equal", paths, folds):
        return paths
    workers.finish("hashes", [_task(f.name, list_hashes, context, f, num_buckets, made_from) for f in folds])
    workers.finish(
        "equal images",
        [_task(f"bucket-{n:05d}", pair_equal, context, n, folds, made_from) for n in range(num_buckets)],
    )
    workers.finish("members", [_task("equal", list_members, context, "equal", paths, folds, made_from)])
    write_json(note, {"made_from": made_from})
    remove_folder(context.folder.file("pairs", "hashes"))
    return paths


def _propose_similar(
    workers: Workers, context: RunContext, manifest: Manifest, folds: Sequence[Fold], *, least: float
) -> tuple[str, ...]:
    note = context.folder.file("pairs", "similar.json")
    stored: dict[str, Any] = read_json(note) or {}
    images = stage_fingerprint("similar", VERSION, {}, [manifest.digest("facts", "embeddings")])
    is_made = stored.get("images") == images and stored["threshold_cosine"] <= least
    if not is_made or not _are_there(context, "similar", _paths_between(context, stored["blocks"]), folds):
        made_from = stage_fingerprint("similar", VERSION, {"threshold_cosine": least}, [images])
        blocks = _compare(workers, context, folds, least, made_from)
        stored = {"images": images, "threshold_cosine": least, "blocks": blocks}
        write_json(note, stored)
        _remove_others(context, _paths_between(context, blocks))
        remove_folder(context.folder.file("pairs", "vectors"))
    return _paths_between(context, stored["blocks"])


def _paths_between(context: RunContext, blocks: Sequence[str]) -> tuple[str, ...]:
    return tuple(similar_path(context, *pair) for pair in combinations_with_replacement(blocks, 2))


def _remove_others(context: RunContext, paths: Sequence[str]) -> None:
    """Remove the pairs of blocks that an earlier proposal had, and this one has not."""
    folder = context.folder.file("pairs", "similar")
    for name in list_names(folder) - {path.rpartition("/")[2] for path in paths}:
        remove_file(f"{folder}/{name}")


def _are_there(context: RunContext, kind: str, paths: Sequence[str], folds: Sequence[Fold]) -> bool:
    """Say whether the pairs of a kind and their members are there; one listing each."""
    pairs, members = context.folder.file("pairs", kind), context.folder.file("pairs", "members", kind)
    names = {path.rpartition("/")[2] for path in paths}
    return names <= list_names(pairs) and {f"{fold.name}.arrow" for fold in folds} <= list_names(members)


def _compare(workers: Workers, context: RunContext, folds: Sequence[Fold], least: float, made_from: str) -> list[str]:
    num_buckets = count_buckets(len(folds))
    stored = workers.finish(
        "embeddings", [_task(fold.name, store_vectors, context, fold, num_buckets, made_from) for fold in folds]
    )
    blocks = [block for report in stored for block in report.partitions]
    if blocks:
        workers.finish("axes", [_task("axes", choose_axes, context, blocks)])
    pairs = list(combinations_with_replacement(blocks, 2))
    workers.finish(
        "similar images",
        [_task(f"{one}-{two}", compare_blocks, context, one, two, least, made_from) for one, two in pairs],
    )
    paths = _paths_between(context, blocks)
    workers.finish("members", [_task("similar", list_members, context, "similar", paths, folds, made_from)])
    return blocks
