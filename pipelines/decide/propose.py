"""Propose: pairs of images that may be copies, by tasks over folds, buckets and blocks; ``pairs.py`` orders them.

Pairs are a measure. They depend on hashes and embeddings, never on rules, so a changed rule proposes nothing again, and
neither does a stricter threshold. They stand in ``pairs/``:

- ``equal/BUCKET.arrow``: EQUAL_IMAGES, divided by fold; each bucket has some of all hashes.
- ``similar/EARLIER-LATER.arrow``: SIMILAR_IMAGES between two blocks of images that differ in their bytes.
- ``members/KIND/FOLD.arrow``: MEMBERS, divided by partition: the images of a partition that are in any pair.
"""

import io
from collections.abc import Iterator, Sequence

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.ids import image_number, split_image_number
from curate.contract.reasons import Stage
from curate.contract.schemas import EQUAL_IMAGES, IMAGE_HASHES, MEMBERS, SIMILAR_IMAGES, VECTORS
from curate.dedup.equal import find_equal, hash_words
from curate.dedup.similar import Flags, Ints, Vectors, cosines, find_similar, principal_axes, read_vectors
from pipelines.decide.facts import find_rows
from pipelines.decide.facts_table import load_facts
from pipelines.engine.loop import Report
from pipelines.run.context import RunContext
from pipelines.run.manifest import Fold
from pipelines.run.splits import is_split_written, read_all, read_part, read_parts, write_split
from pipelines.run.tables import CLIP_MEASURES
from shards.storage import write_bytes

BLOCK_NUM_IMAGES = 16_384
"""Images of a block, at most: 34 MB as float32 of 512 values."""
SAMPLE_NUM_BLOCKS, SAMPLE_NUM_IMAGES = 8, 1024
"""Whose principal axes are taken, and images of each."""


def list_hashes(context: RunContext, fold: Fold, num_buckets: int, made_from: str) -> Report:
    """Write the hashes of a fold's images, divided into buckets by their first bits."""
    path = hashes_path(context, fold.number)
    if is_split_written(path, made_from):
        return Report(stage=Stage.PROPOSE, partition=fold.name, skipped=True)
    found = [IMAGE_HASHES.empty_table(), *_hashes(context, fold)]
    rows = pa.concat_tables(found).combine_chunks()
    words = hash_words(pa.concat_arrays([pa.array([], pa.binary(32)), *rows["image_id"].chunks]))
    buckets = (words[:, 0] % np.uint64(num_buckets)).astype(np.int64)
    write_split(path, rows, buckets, num_parts=num_buckets, schema=IMAGE_HASHES, made_from=made_from)
    return Report(stage=Stage.PROPOSE, partition=fold.name, counters={"images": rows.num_rows})


def _hashes(context: RunContext, fold: Fold) -> Iterator[pa.Table]:
    for number, partition in enumerate(fold.partitions, start=fold.start):
        ids = load_facts(context, partition, columns=["document", "position", "image_id"]).images["image_id"]
        stored = np.flatnonzero(ids.is_valid().to_numpy())
        images = image_number(number, 0) + stored
        yield pa.table([pa.array(images), ids.filter(ids.is_valid()).combine_chunks()], schema=IMAGE_HASHES)


def pair_equal(context: RunContext, bucket: int, folds: Sequence[Fold], made_from: str) -> Report:
    """Write the images of a bucket that have equal bytes, divided by the fold that they are in."""
    path, name = equal_path(context, bucket), f"bucket-{bucket:05d}"
    if is_split_written(path, made_from):
        return Report(stage=Stage.PROPOSE, partition=name, skipped=True)
    hashes = read_parts([hashes_path(context, fold.number) for fold in folds], bucket, schema=IMAGE_HASHES)
    equal = find_equal(hashes)
    partitions, _ = split_image_number(equal["image"].to_numpy())
    parts = np.searchsorted([fold.start for fold in folds], partitions, side="right") - 1
    write_split(path, equal, parts, num_parts=len(folds), schema=EQUAL_IMAGES, made_from=made_from)
    return Report(stage=Stage.PROPOSE, partition=name, counters={"equal": equal.num_rows})


def store_vectors(context: RunContext, fold: Fold, num_buckets: int, made_from: str) -> Report:
    """Write the embeddings of a fold's images in blocks, one of equal images alone: the first."""
    equal = read_parts([equal_path(context, bucket) for bucket in range(num_buckets)], fold.number, schema=EQUAL_IMAGES)
    names = []
    for number, block in enumerate(_blocks(context, fold, equal)):
        name = f"{fold.name}.{number:03d}"
        none = np.zeros(block.num_rows, np.int64)
        write_split(vectors_path(context, name), block, none, num_parts=1, schema=VECTORS, made_from=made_from)
        names.append(name)
    return Report(stage=Stage.PROPOSE, partition=fold.name, partitions=tuple(names))


def _blocks(context: RunContext, fold: Fold, equal: pa.Table) -> Iterator[pa.Table]:
    is_first = pc.equal(equal["image"], equal["first"])
    firsts, copies = (equal["image"].filter(mask).to_numpy() for mask in (is_first, pc.invert(is_first)))
    waiting = VECTORS.empty_table()
    for number, partition in enumerate(fold.partitions, start=fold.start):
        facts = load_facts(context, partition, columns=["document", "position", "doc_id", "image_id"])
        clip = context.folder.read(CLIP_MEASURES, partition, columns=["doc_id", "position", "embedding"])
        row = find_rows(facts, clip)
        images = image_number(number, 0) + np.arange(len(row))
        wanted = pa.array(row.is_valid().to_numpy(zero_copy_only=False) & ~np.isin(images, copies))
        wanted = pc.and_(wanted, facts.images["image_id"].is_valid().combine_chunks())
        own = clip["embedding"].combine_chunks().take(row.filter(wanted))
        repeated = pa.array(np.isin(images, firsts))
        rows = pa.table([pa.array(images).filter(wanted), repeated.filter(wanted), own], schema=VECTORS)
        waiting = pa.concat_tables([waiting, rows]).combine_chunks()
        while waiting.num_rows >= BLOCK_NUM_IMAGES:
            yield waiting.slice(0, BLOCK_NUM_IMAGES)
            waiting = waiting.slice(BLOCK_NUM_IMAGES)
    if waiting.num_rows:
        yield waiting


def choose_axes(context: RunContext, blocks: Sequence[str]) -> Report:
    """Write the principal axes of a sample of the embeddings: they make comparing fast, and change no result."""
    sample = [
        _load_block(context, name, limit=SAMPLE_NUM_IMAGES)[1]
        for name in blocks[:: max(1, len(blocks) // SAMPLE_NUM_BLOCKS)]
    ]
    width = max(vectors.shape[1] for vectors in sample)
    buffer = io.BytesIO()
    np.save(buffer, principal_axes(np.concatenate([vectors for vectors in sample if vectors.shape[1] == width])))
    write_bytes(context.folder.file("pairs", "vectors", "axes.npy"), buffer.getvalue())
    return Report(stage=Stage.PROPOSE, partition="axes")


def compare_blocks(context: RunContext, earlier: str, later: str, threshold_cosine: float, made_from: str) -> Report:
    """Write the similar images between two blocks, or within one; those of equal bytes are marked as comparable."""
    path, name = similar_path(context, earlier, later), f"{earlier}-{later}"
    if is_split_written(path, made_from):
        return Report(stage=Stage.PROPOSE, partition=name, skipped=True)
    with fsspec.open(context.folder.file("pairs", "vectors", "axes.npy"), "rb") as file:
        axes = np.load(file, allow_pickle=False)
    first = _load_block(context, earlier)
    second = first if earlier == later else _load_block(context, later)
    found = find_similar(first[:2], second[:2], axes, threshold_cosine=threshold_cosine)
    if earlier == later:
        found = pa.concat_tables([found, _comparable(*first)])
    none = np.zeros(found.num_rows, np.int64)
    write_split(path, found, none, num_parts=1, schema=SIMILAR_IMAGES, made_from=made_from)
    return Report(stage=Stage.PROPOSE, partition=name, counters={"similar": found.num_rows})


def list_members(context: RunContext, kind: str, paths: Sequence[str], folds: Sequence[Fold], made_from: str) -> Report:
    """Write which images of each partition are in a pair of a kind: ids alone, of the few images that have a copy.

    Args:
        context: The run.
        kind: ``equal`` or ``similar``.
        paths: Of its pairs.
        folds: Of the run.
        made_from: Fingerprint of the pairs.
    """
    schema = EQUAL_IMAGES if kind == "equal" else SIMILAR_IMAGES
    pairs = read_all(paths, schema=schema)
    ends = [pairs["image"]] if kind == "equal" else [pairs[end] for end in ("first", "second")]
    images = np.unique(np.concatenate([end.to_numpy() for end in ends]))
    partitions, _ = split_image_number(images)
    for fold in folds:
        start, stop = np.searchsorted(partitions, [fold.start, fold.start + len(fold.partitions)])
        own = pa.table([pa.array(images[start:stop])], schema=MEMBERS)
        parts = partitions[start:stop] - fold.start
        path = members_path(context, kind, fold.number)
        write_split(path, own, parts, num_parts=len(fold.partitions), schema=MEMBERS, made_from=made_from)
    return Report(stage=Stage.PROPOSE, partition=kind, counters={"members": len(images)})


def load_members(context: RunContext, kinds: Sequence[str], fold: Fold, part: int) -> Ints:
    """Return the images of one partition of a fold that are in a pair of any of these kinds, rising."""
    found = [read_part(members_path(context, kind, fold.number), part)["image"].to_numpy() for kind in kinds]
    return np.unique(np.concatenate([np.zeros(0, np.int64), *found]))


def hashes_path(context: RunContext, fold: int) -> str:
    """Return where the hashes of a fold lie until they are paired."""
    return context.folder.file("pairs", "hashes", f"{fold:05d}.arrow")


def equal_path(context: RunContext, bucket: int) -> str:
    """Return where the equal images of a bucket lie."""
    return context.folder.file("pairs", "equal", f"{bucket:05d}.arrow")


def vectors_path(context: RunContext, block: str) -> str:
    """Return where the embeddings of a block lie until they are compared."""
    return context.folder.file("pairs", "vectors", f"{block}.arrow")


def similar_path(context: RunContext, earlier: str, later: str) -> str:
    """Return where the similar images of two blocks lie."""
    return context.folder.file("pairs", "similar", f"{earlier}-{later}.arrow")


def members_path(context: RunContext, kind: str, fold: int) -> str:
    """Return where the members of a fold lie."""
    return context.folder.file("pairs", "members", kind, f"{fold:05d}.arrow")


def _load_block(context: RunContext, name: str, *, limit: int | None = None) -> tuple[Ints, Vectors, Flags]:
    """Return, of those images of a block that can be compared, numbers, unit vectors, and which are repeated."""
    rows = read_part(vectors_path(context, name), 0).slice(0, limit)
    vectors, usable = read_vectors(rows["embedding"])
    repeated = rows["is_repeated"].to_numpy()
    return rows["image"].to_numpy()[usable], vectors[usable], repeated[usable]


def _comparable(numbers: Ints, vectors: Vectors, repeated: Flags) -> pa.Table:
    """Return a pair of each repeated image with itself: those with its bytes are as similar to it as that."""
    images = pa.array(numbers[repeated])
    own = cosines(vectors[repeated], vectors[repeated])
    return pa.table([images, images, pa.array(own)], schema=SIMILAR_IMAGES)
