"""The files that let Megatron Energon read a shard set as it is, without running its ``prepare``.

Energon wants ``.nv-meta/.info.json`` (samples per shard), ``split.yaml`` (shards per split), ``dataset.yaml`` (the
class that reads them) and, beside each tar, ``NNNNN.tar.idx``: the offset of every sample and of the end as
little-endian u64.
"""

import json
from collections.abc import Mapping, Sequence

import numpy as np

META_FOLDER = ".nv-meta"
INDEX_SUFFIX = ".idx"
INFO_NAME = ".info.json"
SPLIT_NAME = "split.yaml"


def encode_offsets(offsets: Sequence[int], end: int) -> bytes:
    """Return the contents of a shard's ``.tar.idx``: N samples make N + 1 numbers.

    Args:
        offsets: Of each sample's first header, in bytes.
        end: Behind the last sample's last padded part, in bytes.
    """
    return np.array([*offsets, end], dtype="<u8").tobytes()


def encode_meta(shard_counts: Mapping[str, int]) -> dict[str, bytes]:
    """Return the files of ``.nv-meta`` by name. All shards are in the split ``train``.

    Args:
        shard_counts: Samples of each shard, by file name.
    """
    info = {"shard_counts": dict(shard_counts)}
    shard_lines = "".join(f"  - {name}\n" for name in shard_counts)
    return {
        INFO_NAME: (json.dumps(info, indent=2) + "\n").encode(),
        SPLIT_NAME: f"split_parts:\n  train:\n{shard_lines}  val: []\n  test: []\nexclude: []\n".encode(),
        "dataset.yaml": b"__module__: megatron.energon\n__class__: CrudeWebdataset\n",
    }
