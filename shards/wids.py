"""``wids.json``: the shard list from which wids (https://github.com/webdataset/wids) gives random access to a set.

``wids.ShardListDataset("SET/wids.json")`` reads it; its part names begin with a dot, such as ``.0.jpg``.
"""

import json
from collections.abc import Mapping

WIDS_NAME = "wids.json"


def encode_wids(shards: Mapping[str, tuple[int, int]], *, name: str) -> bytes:
    """Return the contents of ``wids.json``.

    Shards are named relative to the file, so that a set may be moved or read from a URL. No ``md5sum`` is given: the
    manifest has a sha256 of every shard.

    Args:
        shards: (number of samples, size in bytes) of each shard, by file name.
        name: Of the set.
    """
    index = {
        "__kind__": "wids-shard-index-v1",
        "wids_version": 1,
        "name": name,
        "shardlist": [
            {"url": shard, "nsamples": num_samples, "filesize": num_bytes}
            for shard, (num_samples, num_bytes) in shards.items()
        ],
    }
    return (json.dumps(index, indent=2) + "\n").encode()
