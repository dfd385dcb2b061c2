"""Turns a folder of tars into a shard set: index, card, Energon's files, and the manifest as the last word."""

import hashlib
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.contract.errors import ShardError
from curate.contract.schemas import SHARD_INDEX
from shards.card import CARD_NAME, ShardSetInfo, render_card
from shards.croissant import CROISSANT_NAME, SetFile, encode_croissant
from shards.energon import INDEX_SUFFIX, META_FOLDER, encode_meta, encode_offsets
from shards.index import SHARD_DIGITS
from shards.licenses import add_up_licenses
from shards.manifest import MANIFEST_NAME, Manifest, ManifestShard, add_up, encode_manifest
from shards.reader import INDEX_NAME
from shards.storage import TEMP_SUFFIX, open_folder, remove_file, write_bytes
from shards.wids import WIDS_NAME, encode_wids
from shards.writer import ShardResult

_OWN_PATTERN = re.compile(rf"\d{{{SHARD_DIGITS}}}\.tar(\{INDEX_SUFFIX})?|\..*\{TEMP_SUFFIX}")


def start_shard_set(folder: str) -> None:
    """Make the folder and remove an earlier run's manifest, so that a set half rewritten does not pass as whole."""
    file_system, root = open_folder(folder)
    file_system.makedirs(root, exist_ok=True)
    remove_file(f"{folder}/{MANIFEST_NAME}")


def finish_shard_set(folder: str, results: Sequence[ShardResult], *, info: ShardSetInfo) -> None:
    """Write everything of a shard set but its tars, the manifest last.

    Tars of an earlier run that are not among ``results`` are removed, and so are temporary files of killed writers.

    Args:
        folder: Where the tars are, local or an fsspec URL.
        results: Of every shard, in any order.
        info: What the samples do not tell.

    Raises:
        ShardError: No shards, or two with the same name.
    """
    ordered = sorted(results, key=lambda result: result.name)
    _check_results(folder, ordered)
    start_shard_set(folder)
    _remove_stale(folder, {result.name for result in ordered})
    index = pa.concat_tables([result.index for result in ordered])
    num_bytes = sum(result.num_bytes for result in ordered)
    info = replace(info, licenses=add_up_licenses(result.licenses for result in ordered))
    write_bytes(f"{folder}/{CARD_NAME}", render_card(index, info=info, num_bytes=num_bytes).encode("utf-8", "replace"))
    for name, data in encode_lookups(ordered, name=info.name).items():
        write_bytes(f"{folder}/{name}", data)
    shards = list_shards(ordered)
    manifest = Manifest(
        name=info.name, shards=shards, totals=add_up(shards), blend=dict(info.blend), recipe_sha256=info.recipe_sha256
    )
    write_bytes(f"{folder}/{MANIFEST_NAME}", encode_manifest(manifest))


def encode_lookups(results: Sequence[ShardResult], *, name: str) -> dict[str, bytes]:
    """Return the files that tell readers where samples lie, by path in the set's folder: all follows from the tars.

    Args:
        results: Of every shard, by name.
        name: Of the shard set.
    """
    buffer = io.BytesIO()
    write_index(buffer, (result.index for result in results))
    data = buffer.getvalue()
    index = SetFile(name=INDEX_NAME, num_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    offsets = {f"{result.name}{INDEX_SUFFIX}": encode_offsets_of(result.index) for result in results}
    return {INDEX_NAME: data, **offsets, **encode_listings(list_shards(results), index=index, name=name)}


def encode_listings(shards: Sequence[ManifestShard], *, index: SetFile, name: str) -> dict[str, bytes]:
    """Return the files that list a set's tars, by path in its folder.

    Args:
        shards: By name.
        index: The file of the index.
        name: Of the shard set.
    """
    files = {
        f"{META_FOLDER}/{meta_name}": data
        for meta_name, data in encode_meta({shard.name: shard.num_samples for shard in shards}).items()
    }
    files[WIDS_NAME] = encode_wids({shard.name: (shard.num_samples, shard.num_bytes) for shard in shards}, name=name)
    tars = [SetFile(name=shard.name, num_bytes=shard.num_bytes, sha256=shard.sha256) for shard in shards]
    files[CROISSANT_NAME] = encode_croissant(tars, index=index, name=name)
    return files


def encode_offsets_of(index: pa.Table) -> bytes:
    """Return the ``.tar.idx`` of a shard from its rows of the index; not empty."""
    offsets, sizes = index["offset"].to_pylist(), index["num_bytes"].to_pylist()
    return encode_offsets(offsets, offsets[-1] + sizes[-1])


def list_shards(results: Sequence[ShardResult]) -> list[ManifestShard]:
    """Return what the manifest says of each shard."""
    return [
        ManifestShard(
            name=result.name,
            num_samples=result.num_samples,
            num_images=result.num_images,
            num_bytes=result.num_bytes,
            sha256=result.sha256,
        )
        for result in results
    ]


def write_index(file: Any, indexes: Iterable[pa.Table]) -> None:
    """Write the index as Parquet with one row group per shard, so that a reader may take it shard by shard.

    Args:
        file: Written to; a path or a binary file.
        indexes: Of each shard, in order, taken one at a time.
    """
    with pq.ParquetWriter(file, SHARD_INDEX, compression="zstd") as writer:
        for index in indexes:
            writer.write_table(index, row_group_size=index.num_rows)


def _check_results(folder: str, results: Sequence[ShardResult]) -> None:
    if not results:
        raise ShardError(f"{folder}: no shards were written, so there is no set to finish")
    names = [result.name for result in results]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise ShardError(f"{folder}: more than one result for {', '.join(twice)}")
    keys = pa.chunked_array([chunk for result in results for chunk in result.index["key"].chunks])
    if len(pc.unique(keys)) < len(keys):
        raise ShardError(f"{folder}: keys are not unique; every shard needs a number of its own")


def _remove_stale(folder: str, keep: set[str]) -> None:
    file_system, root = open_folder(folder)
    folders = [root, f"{root}/{META_FOLDER}"] if file_system.isdir(f"{root}/{META_FOLDER}") else [root]
    for path in (path for one in folders for path in file_system.ls(one, detail=False)):
        name = str(path).rpartition("/")[2]
        if _OWN_PATTERN.fullmatch(name) and name.removesuffix(INDEX_SUFFIX) not in keep:
            file_system.rm_file(path)
