import json
from pathlib import Path

from shards.manifest import read_manifest
from shards.wids import encode_wids


def test_it_lists_samples_and_bytes_of_every_shard() -> None:
    index = json.loads(encode_wids({"00000.tar": (3, 10240), "00001.tar": (1, 512)}, name="main"))
    assert (index["__kind__"], index["wids_version"], index["name"]) == ("wids-shard-index-v1", 1, "main")
    assert index["shardlist"] == [
        {"url": "00000.tar", "nsamples": 3, "filesize": 10240},
        {"url": "00001.tar", "nsamples": 1, "filesize": 512},
    ]


def test_a_finished_set_has_one_that_fits_its_tars(shard_set: Path) -> None:
    index = json.loads((shard_set / "wids.json").read_bytes())
    assert [(one["url"], one["nsamples"]) for one in index["shardlist"]] == [
        (one.name, one.num_samples) for one in read_manifest(str(shard_set)).shards
    ]
    assert all((shard_set / one["url"]).stat().st_size == one["filesize"] for one in index["shardlist"])
