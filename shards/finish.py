"""Turns a folder of tars into a shard set: index, card, Energon's files, and the manifest as the last word."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.contract.errors import ShardError
from curate.contract.schemas import SHARD_INDEX
from shards.card import CARD_NAME, ShardSetInfo, render_card
from shards.contents import SetContents
from shards.croissant import CROISSANT_NAME, SetFile, encode_croissant
from shards.energon import INDEX_SUFFIX, META_FOLDER, encode_meta, encode_offsets
from shards.index import SHARD_DIGITS
from shards.licenses import LicenseCounts, add_up_licenses
from shards.manifest import MANIFEST_NAME, Manifest, ManifestShard, add_up, encode_manifest
from shards.reader import INDEX_NAME
from shards.storage import TEMP_SUFFIX, atomic_path, open_folder, remove_file, write_bytes
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
        results: Of every shard, in any order; taken one at a time, so that they may be read when they are asked for.
        info: What the samples do not tell.

    Raises:
        ShardError: No shards, or two with the same name.
    """
    names = [result.name for result in results]
    _check_names(folder, names)
    start_shard_set(folder)
    _remove_stale(folder, set(names))
    order = sorted(range(len(names)), key=names.__getitem__)
    told = _Told()
    with atomic_path(f"{folder}/{INDEX_NAME}") as path:
        write_index(path, told.take(folder, (results[place] for place in order)))
        index = SetFile(name=INDEX_NAME, num_bytes=path.stat().st_size, sha256=_hash_file(path))
    for name, data in encode_listings(told.shards, index=index, name=info.name).items():
        write_bytes(f"{folder}/{name}", data)
    info = replace(info, licenses=add_up_licenses(told.licenses))
    num_bytes = sum(shard.num_bytes for shard in told.shards)
    card = render_card(told.contents, info=info, num_bytes=num_bytes)
    write_bytes(f"{folder}/{CARD_NAME}", card.encode("utf-8", "replace"))
    manifest = Manifest(
        name=info.name,
        shards=told.shards,
        totals=add_up(told.shards),
        blend=dict(info.blend),
        recipe_sha256=info.recipe_sha256,
    )
    write_bytes(f"{folder}/{MANIFEST_NAME}", encode_manifest(manifest))


@dataclass(kw_only=True, slots=True)
class _Told:
    """What stays of shards whose index has been written."""

    shards: list[ManifestShard] = field(default_factory=list)
    licenses: list[LicenseCounts] = field(default_factory=list)
    contents: SetContents = field(default_factory=SetContents)

    def take(self, folder: str, results: Iterable[ShardResult]) -> Iterator[pa.Table]:
        """Yield the index of each shard, having written its offsets.

        Raises:
            ShardError: A key is there twice or is not of its shard.
        """
        for result in results:
            _check_keys(folder, result)
            write_bytes(f"{folder}/{result.name}{INDEX_SUFFIX}", encode_offsets_of(result.index))
            self.shards += list_shards([result])
            self.licenses.append(result.licenses)
            self.contents.add(result.index)
            yield result.index


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


def _check_names(folder: str, names: Sequence[str]) -> None:
    if not names:
        raise ShardError(f"{folder}: no shards were written, so there is no set to finish")
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ShardError(f"{folder}: more than one result for {', '.join(twice)}")


def _check_keys(folder: str, result: ShardResult) -> None:
    """Raise ShardError unless a shard's keys are unique and start with its digits, as no other shard's do."""
    keys, digits = result.index["key"], result.name[:SHARD_DIGITS]
    if len(pc.unique(keys)) < len(keys) or not pc.all(pc.starts_with(keys, pattern=digits)).as_py():
        raise ShardError(f"{folder}: keys are not unique; every shard needs a number of its own")


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove_stale(folder: str, keep: set[str]) -> None:
    file_system, root = open_folder(folder)
    folders = [root, f"{root}/{META_FOLDER}"] if file_system.isdir(f"{root}/{META_FOLDER}") else [root]
    for path in (path for one in folders for path in file_system.ls(one, detail=False)):
        name = str(path).rpartition("/")[2]
        if _OWN_PATTERN.fullmatch(name) and name.removesuffix(INDEX_SUFFIX) not in keep:
            file_system.rm_file(path)
