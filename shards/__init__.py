"""Shard sets: a tar layout that webdataset, Energon and Hugging Face read, an index over it, and checks of both.

Start at ``sample.py`` for the layout, ``writer.py`` and ``finish.py`` for writing, ``reader.py`` for reading.
"""

from shards.cache import CacheSettings
from shards.card import ShardSetInfo
from shards.finish import finish_shard_set, start_shard_set
from shards.reader import ShardReader, StoredSample, read_index, read_json_part, read_sample
from shards.repair import repair_shard_set
from shards.sample import Sample, SampleImage, SampleText
from shards.verify import verify_shards
from shards.writer import ShardResult, write_shard

__all__ = [
    "CacheSettings",
    "Sample",
    "SampleImage",
    "SampleText",
    "ShardReader",
    "ShardResult",
    "ShardSetInfo",
    "StoredSample",
    "finish_shard_set",
    "read_index",
    "read_json_part",
    "read_sample",
    "repair_shard_set",
    "start_shard_set",
    "verify_shards",
    "write_shard",
]
