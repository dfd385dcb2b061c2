"""Rebuilds what is made from the tars: index, wids and Energon files, and the manifest's counts and checksums.

Only sound tars are taken: a broken one is never made to look whole. Card and blend stay as they are, so verification
still tells of samples that were planned and are gone.
"""

from collections.abc import Mapping

from curate.contract.errors import ShardError
from shards.finish import encode_lookups, list_shards
from shards.index import SHARD_PATTERN, index_table
from shards.manifest import MANIFEST_NAME, add_up, encode_manifest, read_manifest
from shards.scan import ShardScan, scan_shard
from shards.storage import open_folder, write_bytes
from shards.writer import make_result


def repair_shard_set(folder: str) -> list[str]:
    """Rebuild the files that follow from the tars, and the manifest's list of shards.

    Args:
        folder: Local or an fsspec URL.

    Returns:
        A line per file whose content was changed; empty where all was right.

    Raises:
        ShardError: No manifest (the set was never finished: run it again), no tars, tars with faults of their own, or
            one that is not what was written: its checksum is never replaced.
    """
    manifest = read_manifest(folder)
    file_system, root = open_folder(folder)
    names = sorted(str(path).rpartition("/")[2] for path in file_system.ls(root, detail=False))
    scans = [scan_shard(folder, name) for name in names if SHARD_PATTERN.fullmatch(name)]
    _refuse_damaged(folder, scans, written={shard.name: shard.sha256 for shard in manifest.shards})
    results = [
        make_result(index_table(scan.rows), name=scan.name, num_bytes=scan.num_bytes, sha256=scan.sha256)
        for scan in scans
    ]
    shards = list_shards(results)
    renewed = manifest.model_copy(update={"shards": shards, "totals": add_up(shards)})
    files = {**encode_lookups(results, name=manifest.name), MANIFEST_NAME: encode_manifest(renewed)}
    changed = [name for name, data in files.items() if _read(folder, name) != data]
    for name in changed:
        write_bytes(f"{folder}/{name}", files[name])
    return [f"{name}: rebuilt from the tars" for name in changed]


def _refuse_damaged(folder: str, scans: list[ShardScan], *, written: Mapping[str, str]) -> None:
    if not scans:
        raise ShardError(f"{folder}: no tars here to rebuild an index from")
    faults = [fault for scan in scans for fault in scan.faults]
    faults += [
        f"{scan.name}: sha256 is {scan.sha256}, the manifest says {written[scan.name]}; it was altered"
        for scan in scans
        if scan.sha256 != written.get(scan.name, scan.sha256)
    ]
    keys = [key for scan in scans for key in scan.keys]
    if len(set(keys)) < len(keys):
        faults.append(f"{folder}: a key occurs more than once")
    if faults:
        remedy = "nothing was rebuilt, for tars are damaged: remove those and run the recipe again"
        raise ShardError("\n".join([*faults, remedy]))


def _read(folder: str, name: str) -> bytes | None:
    file_system, root = open_folder(folder)
    try:
        return bytes(file_system.cat_file(f"{root}/{name}"))
    except OSError:
        return None
