"""The files that let Megatron Energon read a shard set as it is, without running its ``prepare``.

Energon wants ``.nv-meta/.info.json`` (samples per shard), ``split.yaml`` (shards per split), ``dataset.yaml`` (the
class that reads them) and, beside each tar, ``NNNNN.tar.idx``: the offset of every sample and of the end as
little-endian u64.
"""

import json
from collections.abc import Sequence

import numpy as np

from shards.writer import ShardResult

META_FOLDER = ".nv-meta"
INDEX_SUFFIX = ".idx"
INFO_NAME = ".info.json"


def encode_offsets(result: ShardResult) -> bytes:
    """Return the contents of a shard's ``.tar.idx``: N samples make N + 1 numbers."""
    offsets = result.index["offset"].to_numpy()
    ends = offsets + result.index["num_bytes"].to_numpy()
    return np.append(offsets, ends[-1:]).astype("<u8").tobytes()


def encode_meta(results: Sequence[ShardResult]) -> dict[str, bytes]:
    """Return the files of ``.nv-meta`` by name. All shards are in the split ``train``."""
    info = {"shard_counts": {result.name: result.num_samples for result in results}}
    shard_lines = "".join(f"  - {result.name}\n" for result in results)
    return {
        INFO_NAME: (json.dumps(info, indent=2) + "\n").encode(),
        "split.yaml": f"split_parts:\n  train:\n{shard_lines}  val: []\n  test: []\nexclude: []\n".encode(),
        "dataset.yaml": b"__module__: megatron.energon\n__class__: CrudeWebdataset\n",
    }
