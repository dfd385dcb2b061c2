"""The ``shards:`` section of a recipe."""

from typing import Literal

from pydantic import BaseModel, ByteSize, ConfigDict, Field

from shards.index import SEQUENCE_DIGITS


class ShardsConfig(BaseModel):
    """How large a shard may become; whichever limit comes first closes it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    samples: int = Field(default=10_000, ge=1, le=10**SEQUENCE_DIGITS)
    """Samples per shard; img2dataset's default too."""

    bytes: ByteSize = Field(default=ByteSize(10**9), ge=1)
    """Bytes of images and text per shard, such as 1GB; tar headers come on top. A larger sample gets its own shard."""

    provenance: Literal["stable", "full"] = "stable"
    """What ``KEY.json`` tells of a document's origin: file and row, address after redirects, and when it was fetched
    where an archive says so; ``full``: also when this run fetched pages and images, so that the shards of a corpus that
    is fetched anew are other bytes."""
