"""Count image URLs over the whole run, for ``url.frequency``: the one barrier before images are fetched.

A shuffle: each fold of partitions writes its URLs' hashes by bucket, each bucket counts its own, and each fold takes
the counts of its URLs back. No task sees the URLs of the whole run.
"""

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.ids import image_number, split_image_number
from curate.contract.reasons import Stage
from curate.dedup.equal import hash_words
from curate.ingest.config import Source
from pipelines.decide.facts import image_items
from pipelines.engine.loop import Report, call_on
from pipelines.recipes.recipe import Recipe
from pipelines.recipes.rule_sets import rule_configs
from pipelines.run.context import RunContext, items_digest, load_documents, load_poison, stage_fingerprint
from pipelines.run.folder import list_names, read_json, remove_folder, write_json
from pipelines.run.joins import without_documents
from pipelines.run.manifest import Fold, count_buckets, cut_folds
from pipelines.run.splits import is_split_written, read_parts, write_split
from pipelines.run.tables import ITEMS, URL_COUNTS
from pipelines.run.workers import Workers

_task = partial(call_on, Stage.COUNT_URLS)

HASH_BYTES = 16
"""Two URLs of a billion share a hash with a probability of 1e-21."""
URL_HASHES = pa.schema(
    [
        pa.field("image", pa.int64(), nullable=False),  # number in the run
        pa.field("url", pa.binary(HASH_BYTES), nullable=False),  # hash of its address
    ]
)
REPEATED_URLS = pa.schema(
    [
        pa.field("image", pa.int64(), nullable=False),  # number in the run
        pa.field("url_count", pa.int64(), nullable=False),  # at least 2
    ]
)


def counts_urls(recipe: Recipe, _source: Source) -> bool:
    """Whether a rule asks how often an image URL occurs in the run."""
    return "url.frequency" in rule_configs(recipe.admit)


def count_urls(workers: Workers, context: RunContext, partitions: Sequence[str]) -> str:
    """Write ``measure/url_counts`` of every partition; return the fingerprint of the counts.

    Args:
        workers: Of the run.
        context: The run.
        partitions: Of the run, in input order.
    """
    folds = cut_folds(partitions)
    looked_at = workers.finish("look at URLs", [_task(fold.name, digest_items, context, fold) for fold in folds])
    made_from = stage_fingerprint("url_counts", URL_COUNTS.version, {}, [one for r in looked_at for one in r.made])
    note = context.folder.file("measure", "url_counts.json")
    wanted = {f"{name}.parquet" for name in partitions}
    if read_json(note) == {"made_from": made_from} and wanted <= list_names(context.folder.file(URL_COUNTS.place)):
        return made_from
    num_buckets = count_buckets(len(folds))
    calls = [_task(fold.name, hash_urls, context, fold, num_buckets, made_from) for fold in folds]
    workers.finish("hash URLs", calls)
    buckets = [_task(f"{n:05d}", count_bucket, context, n, folds, made_from) for n in range(num_buckets)]
    workers.finish("count URLs", buckets)
    calls = [_task(fold.name, take_counts, context, fold, num_buckets, made_from) for fold in folds]
    workers.finish("join URL counts", calls)
    write_json(note, {"made_from": made_from})
    remove_folder(_path(context))
    return made_from


def digest_items(context: RunContext, fold: Fold) -> Report:
    """Report what the items of a fold are."""
    digests = tuple(f"{name} {items_digest(context, name)}" for name in fold.partitions)
    joined = hashlib.sha256("\n".join(digests).encode()).hexdigest()
    return Report(stage=Stage.COUNT_URLS, partition=fold.name, made=(joined,))


def hash_urls(context: RunContext, fold: Fold, num_buckets: int, made_from: str) -> Report:
    """Write the hashes of a fold's image URLs, divided into buckets."""
    path = _path(context, "hashes", fold.name)
    if is_split_written(path, made_from):
        return Report(stage=Stage.COUNT_URLS, partition=fold.name, skipped=True)
    rows = pa.concat_tables([URL_HASHES.empty_table(), *_hashes(context, fold)]).combine_chunks()
    words = hash_words(pa.concat_arrays([pa.array([], pa.binary(HASH_BYTES)), *rows["url"].chunks]))
    buckets = (words[:, 0] % np.uint64(num_buckets)).astype(np.int64)
    write_split(path, rows, buckets, num_parts=num_buckets, schema=URL_HASHES, made_from=made_from)
    return Report(stage=Stage.COUNT_URLS, partition=fold.name, counters={"urls": rows.num_rows})


def count_bucket(context: RunContext, bucket: int, folds: Sequence[Fold], made_from: str) -> Report:
    """Write the images of a bucket whose URL occurs more than once, with the count, divided by fold."""
    path, name = _path(context, "counts", f"{bucket:05d}"), f"{bucket:05d}"
    if is_split_written(path, made_from):
        return Report(stage=Stage.COUNT_URLS, partition=name, skipped=True)
    hashes = read_parts([_path(context, "hashes", fold.name) for fold in folds], bucket, schema=URL_HASHES)
    counted = hashes.combine_chunks().group_by("url", use_threads=False).aggregate([([], "count_all")])
    repeated = counted.filter(pc.greater(counted["count_all"], 1)).combine_chunks()
    place = pc.index_in(hashes["url"], value_set=repeated["url"].combine_chunks())
    counts = repeated["count_all"].take(place.drop_null())
    images = hashes["image"].filter(place.is_valid())
    found = pa.table([images, counts], schema=REPEATED_URLS).sort_by("image")
    partitions, _ = split_image_number(found["image"].to_numpy())
    parts = np.searchsorted([fold.start for fold in folds], partitions, side="right") - 1
    write_split(path, found, parts, num_parts=len(folds), schema=REPEATED_URLS, made_from=made_from)
    return Report(stage=Stage.COUNT_URLS, partition=name, counters={"repeated": found.num_rows})


def take_counts(context: RunContext, fold: Fold, num_buckets: int, made_from: str) -> Report:
    """Write the counts of a fold's partitions, those of URLs that occur more than once."""
    paths = [_path(context, "counts", f"{bucket:05d}") for bucket in range(num_buckets)]
    counts = read_parts(paths, fold.number, schema=REPEATED_URLS).sort_by("image")
    partitions, rows = split_image_number(counts["image"].to_numpy())
    for number, name in enumerate(fold.partitions, start=fold.start):
        start, stop = np.searchsorted(partitions, [number, number + 1])
        keys = _images(context, name, ["doc_id", "position"]).take(pa.array(rows[start:stop]))
        own = keys.append_column(URL_COUNTS.schema.field("url_count"), counts["url_count"].slice(start, stop - start))
        context.folder.write(URL_COUNTS, name, rows=own, made_from=made_from)
    return Report(stage=Stage.COUNT_URLS, partition=fold.name, counters={"repeated": counts.num_rows})


def _hashes(context: RunContext, fold: Fold) -> Iterator[pa.Table]:
    for number, partition in enumerate(fold.partitions, start=fold.start):
        images = _images(context, partition, ["doc_id", "image_url"])
        images = images.append_column("image", pa.array(image_number(number, 0) + np.arange(images.num_rows)))
        counted = without_documents(images, list(load_poison(context, partition)))
        counted = counted.filter(counted["image_url"].is_valid())
        urls = [_hash(url) for url in counted["image_url"].to_pylist()]
        yield pa.table([counted["image"], pa.array(urls, pa.binary(HASH_BYTES))], schema=URL_HASHES)


def _images(context: RunContext, partition: str, columns: list[str]) -> pa.Table:
    """Return columns of a partition's image items, in the order of their documents."""
    doc_ids = load_documents(context, partition)["doc_id"].combine_chunks()
    return image_items(context.folder.read(ITEMS, partition, columns=[*columns, "modality"]), doc_ids).select(columns)


def _hash(url: str) -> bytes:
    return hashlib.blake2b(url.encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES).digest()


def _path(context: RunContext, kind: str = "", name: str = "") -> str:
    folder = context.folder.file("shuffle", "urls")
    return f"{folder}/{kind}/{name}.arrow" if kind else folder
