"""``manifest.json``: what a shard set holds. Written last, so a set without one is unfinished.

It has no times and no paths of a machine: equal sets have equal manifests.
"""

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from curate.contract.errors import ShardError
from shards.storage import open_folder

MANIFEST_NAME = "manifest.json"


class ManifestShard(BaseModel):
    """One tar."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str
    """File name in the set's folder."""
    num_samples: int
    num_images: int
    num_bytes: int
    """Size of the file."""
    sha256: str
    """Of the file, in hex."""


class ManifestTotals(BaseModel):
    """Sums over all shards."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    num_shards: int
    num_samples: int
    num_images: int
    num_bytes: int


class Manifest(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal["vila-curate-shards"] = "vila-curate-shards"
    format_version: Literal[1] = 1
    name: str
    """Of the shard set."""
    shards: list[ManifestShard]
    totals: ManifestTotals
    blend: dict[str, Any]
    """Summary of the blend that was written."""
    recipe_sha256: str
    """Of the resolved recipe, in hex."""


def add_up(shards: list[ManifestShard]) -> ManifestTotals:
    """Return the sums of shards."""
    return ManifestTotals(
        num_shards=len(shards),
        num_samples=sum(shard.num_samples for shard in shards),
        num_images=sum(shard.num_images for shard in shards),
        num_bytes=sum(shard.num_bytes for shard in shards),
    )


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the file's bytes: sorted keys, UTF-8."""
    text = json.dumps(manifest.model_dump(mode="json"), ensure_ascii=False, indent=1, sort_keys=True)
    return (text + "\n").encode("utf-8", "replace")


def read_manifest(folder: str) -> Manifest:
    """Read the manifest of a shard set.

    Raises:
        ShardError: No manifest, one that does not parse, or one of another format or version.
    """
    file_system, root = open_folder(folder)
    try:
        return Manifest.model_validate_json(file_system.cat_file(f"{root}/{MANIFEST_NAME}"))
    except FileNotFoundError as error:
        raise ShardError(f"{MANIFEST_NAME} is missing: the set was never finished, or the file was removed") from error
    except OSError as error:
        raise ShardError(f"{MANIFEST_NAME} cannot be read ({error})") from error
    except ValidationError as error:
        causes = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'file'}: {one['msg']}" for one in error.errors())
        raise ShardError(f"{MANIFEST_NAME} is not a manifest of format version 1 ({causes})") from error
