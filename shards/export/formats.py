"""The foreign formats by name, and the one way to export a shard set to any of them.

A local export is written to a folder beside its destination and renamed when it is whole. On other file systems each
file is whole or absent and ``export.json``, which counts what was written and what could not be, comes last.
"""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from curate.contract.errors import ShardError
from shards.export.llava import export_llava
from shards.export.mmc4 import export_mmc4
from shards.export.names import ExportFormat
from shards.export.obelics import export_obelics
from shards.export.openflamingo import export_openflamingo
from shards.export.pairs import export_pairs
from shards.export.stream import ShardStream, stream_shards
from shards.export.tally import Tally
from shards.manifest import Manifest, read_manifest
from shards.storage import TEMP_SUFFIX, is_local, open_folder, write_bytes

REPORT_NAME = "export.json"


class Exporter(Protocol):
    """Writes the shards of one set, counting every document and image as written or left out."""

    def __call__(self, shards: Iterable[ShardStream], *, out: str, tally: Tally) -> None:
        """Write files below ``out``."""


FORMATS: dict[ExportFormat, Exporter] = {
    ExportFormat.OPENFLAMINGO: export_openflamingo,
    ExportFormat.MMC4: export_mmc4,
    ExportFormat.OBELICS: export_obelics,
    ExportFormat.PAIRS: export_pairs,
    ExportFormat.LLAVA: export_llava,
}


def export_shards(folder: str, *, format_name: ExportFormat, out: str) -> Tally:
    """Export a finished shard set.

    Args:
        folder: The shard set, local or an fsspec URL.
        format_name: What to write.
        out: Folder to make; must be absent or empty.

    Returns:
        What was read, written, left out and changed; also in ``export.json``.

    Raises:
        ShardError: No readable shard set, or ``out`` has something in it.
    """
    manifest = read_manifest(folder)
    _check_empty(out)
    spool = _spool_folder(out)
    try:
        tally = _export(folder, manifest, format_name=format_name, out=spool or out)
        if spool is not None:
            Path(spool).replace(open_folder(out)[1])
    finally:
        if spool is not None:
            shutil.rmtree(spool, ignore_errors=True)
    return tally


def _export(folder: str, manifest: Manifest, *, format_name: ExportFormat, out: str) -> Tally:
    tally = Tally()
    FORMATS[format_name](stream_shards(folder, tally=tally), out=out, tally=tally)
    wanted = manifest.totals.num_samples
    if tally.num_documents != wanted:
        raise ShardError(
            f"{folder}: the index has {tally.num_documents} samples, the manifest {wanted}; verify the set"
        )
    origin = {"format": str(format_name), "shard_set": manifest.name, "recipe_sha256": manifest.recipe_sha256}
    write_bytes(f"{out}/{REPORT_NAME}", json.dumps(origin | tally.to_dict(), indent=2).encode() + b"\n")
    return tally


def _check_empty(out: str) -> None:
    file_system, root = open_folder(out)
    if file_system.exists(root) and (not file_system.isdir(root) or file_system.ls(root, detail=False)):
        raise ShardError(f"{out}: there is something already; name a folder that is absent or empty")


def _spool_folder(out: str) -> str | None:
    """Make an empty folder beside a local ``out`` to write into; None where files cannot be renamed together."""
    file_system, root = open_folder(out)
    if not is_local(file_system):
        return None
    target = Path(root)
    spool = target.parent / f".{target.name}{TEMP_SUFFIX}"
    shutil.rmtree(spool, ignore_errors=True)  # of an export that was killed
    spool.mkdir(parents=True)
    return str(spool)
