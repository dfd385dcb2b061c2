"""Checks the files of a shard set that other tools read: card, Energon, wids and Croissant, each against the tars."""

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import yaml

from shards.card import CARD_NAME, DATA_FILES, card_features, read_card_header
from shards.croissant import CROISSANT_NAME, SetFile, encode_croissant
from shards.energon import INDEX_SUFFIX, INFO_NAME, META_FOLDER, SPLIT_NAME, encode_meta, encode_offsets
from shards.manifest import Manifest
from shards.reader import INDEX_NAME
from shards.scan import ShardScan
from shards.storage import open_folder
from shards.wids import WIDS_NAME, encode_wids


def check_card(folder: str, index: pa.Table) -> list[str]:
    """Return what Hugging Face datasets would trip over."""
    data = _read_file(folder, CARD_NAME)
    if data is None:
        return [f"{CARD_NAME}: missing; without it Hugging Face datasets drops images"]
    header = read_card_header(data.decode("utf-8", "replace"))
    wanted = card_features(max(index["num_images"].to_pylist(), default=0))
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


def check_energon(folder: str, scans: Sequence[ShardScan]) -> list[str]:
    """Return what Megatron Energon would trip over."""
    faults = [
        f"{scan.name}{INDEX_SUFFIX}: missing, or its offsets are not those of {scan.name}"
        for scan in scans
        if len(scan.offsets) > len(scan.keys)  # the archive was read to its end
        and _read_file(folder, f"{scan.name}{INDEX_SUFFIX}") != encode_offsets(scan.offsets[:-1], scan.offsets[-1])
    ]
    for name, data in encode_meta({scan.name: len(scan.keys) for scan in scans}).items():
        found = _read_file(folder, f"{META_FOLDER}/{name}")
        if found is None:
            faults.append(f"{META_FOLDER}/{name}: missing; Energon needs it")
        elif name == INFO_NAME:
            if not _same_json(found, data):
                faults.append(f"{META_FOLDER}/{name}: its samples per shard are not those of the tars")
        elif name == SPLIT_NAME:
            faults.extend(_check_split(found, {scan.name for scan in scans}))
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


def check_wids(folder: str, scans: Sequence[ShardScan], manifest: Manifest) -> list[str]:
    """Return what wids would trip over."""
    wanted = encode_wids({scan.name: (len(scan.keys), scan.num_bytes) for scan in scans}, name=manifest.name)
    found = _read_file(folder, WIDS_NAME)
    if found is None:
        return [f"{WIDS_NAME}: missing; wids needs it"]
    return [] if _same_json(found, wanted) else [f"{WIDS_NAME}: its shards and samples are not those of the tars"]


def check_croissant(folder: str, manifest: Manifest) -> list[str]:
    """Return whether the Croissant description is there and says what manifest and index do."""
    found, index = _read_file(folder, CROISSANT_NAME), _read_file(folder, INDEX_NAME)
    if found is None:
        return [f"{CROISSANT_NAME}: missing"]
    tars = [SetFile(name=one.name, num_bytes=one.num_bytes, sha256=one.sha256) for one in manifest.shards]
    wanted = encode_croissant(tars, index=(INDEX_NAME, index or b""), name=manifest.name)
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


def _read_file(folder: str, name: str) -> bytes | None:
    file_system, root = open_folder(folder)
    try:
        return bytes(file_system.cat_file(f"{root}/{name}"))
    except OSError:
        return None
