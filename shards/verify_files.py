"""Checks the files of a shard set that other tools read: card, Energon, wids and Croissant, each against the tars."""

import json
from collections.abc import Sequence
from typing import Any

import yaml

from shards.card import CARD_NAME, DATA_FILES, card_features, read_card_header
from shards.croissant import CROISSANT_NAME, SetFile, encode_croissant
from shards.energon import INDEX_SUFFIX, INFO_NAME, META_FOLDER, SPLIT_NAME, encode_meta
from shards.manifest import Manifest
from shards.reader import INDEX_NAME
from shards.shard_check import ShardReport
from shards.storage import hash_file, read_file
from shards.wids import WIDS_NAME, encode_wids


def check_card(folder: str, *, max_images: int) -> list[str]:
    """Return what Hugging Face datasets would trip over.

    Args:
        folder: The shard set.
        max_images: Of one sample, by the index.
    """
    data = read_file(folder, CARD_NAME)
    if data is None:
        return [f"{CARD_NAME}: missing; without it Hugging Face datasets drops images"]
    header = read_card_header(data.decode("utf-8", "replace"))
    wanted = card_features(max_images)
    declared = _dig(header, "dataset_info", "features") or []
    absent = [feature["name"] for feature in wanted if feature not in declared]
    faults = []
    if absent:
        names = ", ".join(absent)
        faults.append(f"{CARD_NAME}: dataset_info.features does not declare {names}, so datasets would drop them")
    paths = [
        _dig(file, "path") for config in _dig(header, "configs") or [] for file in _dig(config, "data_files") or []
    ]
    if DATA_FILES not in paths:
        faults.append(f"{CARD_NAME}: no data_files of its configs is {DATA_FILES}, so datasets would not find the tars")
    return faults


def check_energon(folder: str, shards: Sequence[ShardReport]) -> list[str]:
    """Return what Megatron Energon would trip over."""
    faults = [
        f"{shard.name}{INDEX_SUFFIX}: missing, or its offsets are not those of {shard.name}"
        for shard in shards
        if shard.has_wrong_offsets
    ]
    for name, data in encode_meta({shard.name: shard.num_samples for shard in shards}).items():
        found = read_file(folder, f"{META_FOLDER}/{name}")
        if found is None:
            faults.append(f"{META_FOLDER}/{name}: missing; Energon needs it")
        elif name == INFO_NAME:
            if not _same_json(found, data):
                faults.append(f"{META_FOLDER}/{name}: its samples per shard are not those of the tars")
        elif name == SPLIT_NAME:
            faults.extend(_check_split(found, {shard.name for shard in shards}))
        elif _dig(_parse_yaml(found), "__class__") is None:
            faults.append(f"{META_FOLDER}/{name}: names no class to read the set with")
    return faults


def _check_split(data: bytes, names: set[str]) -> list[str]:
    """Splits may be cut anew by hand, as long as each shard is in one and all are there."""
    parts = _dig(_parse_yaml(data), "split_parts")
    if not isinstance(parts, dict):
        return [f"{META_FOLDER}/{SPLIT_NAME}: has no split_parts"]
    listed = {str(name) for part in parts.values() for name in part or []}
    listed_or_left_out = listed | {str(name) for name in _dig(_parse_yaml(data), "exclude") or []}
    faults = [f"{META_FOLDER}/{SPLIT_NAME}: lists {name}, which is not there" for name in sorted(listed - names)]
    faults += [f"{META_FOLDER}/{SPLIT_NAME}: {name} is in no split" for name in sorted(names - listed_or_left_out)]
    return faults


def check_wids(folder: str, shards: Sequence[ShardReport], manifest: Manifest) -> list[str]:
    """Return what wids would trip over."""
    wanted = encode_wids({shard.name: (shard.num_samples, shard.num_bytes) for shard in shards}, name=manifest.name)
    found = read_file(folder, WIDS_NAME)
    if found is None:
        return [f"{WIDS_NAME}: missing; wids needs it"]
    return [] if _same_json(found, wanted) else [f"{WIDS_NAME}: its shards and samples are not those of the tars"]


def check_croissant(folder: str, manifest: Manifest) -> list[str]:
    """Return whether the Croissant description is there and says what manifest and index do."""
    found = read_file(folder, CROISSANT_NAME)
    if found is None:
        return [f"{CROISSANT_NAME}: missing"]
    tars = [SetFile(name=one.name, num_bytes=one.num_bytes, sha256=one.sha256) for one in manifest.shards]
    num_bytes, sha256 = hash_file(folder, INDEX_NAME)
    index = SetFile(name=INDEX_NAME, num_bytes=num_bytes, sha256=sha256)
    wanted = encode_croissant(tars, index=index, name=manifest.name)
    if _same_json(found, wanted):
        return []
    return [f"{CROISSANT_NAME}: its files, sizes or checksums are not those of the set"]


def _dig(value: Any, *keys: str) -> Any:
    """Return what lies below some keys, or None where something else is on the way."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _parse_yaml(data: bytes) -> Any:
    try:
        return yaml.safe_load(data)
    except yaml.YAMLError:
        return None


def _same_json(found: bytes, wanted: bytes) -> bool:
    try:
        return bool(json.loads(found) == json.loads(wanted))
    except ValueError:
        return False
