import json
import struct

import yaml

from shards.energon import encode_meta, encode_offsets


def test_offsets_are_those_of_samples_and_of_the_end() -> None:
    assert struct.unpack("<3Q", encode_offsets([0, 1536], 2**40)) == (0, 1536, 2**40)


def test_meta_names_every_shard_and_a_class_of_energon() -> None:
    meta = encode_meta({"00000.tar": 1, "00001.tar": 7})
    assert json.loads(meta[".info.json"]) == {"shard_counts": {"00000.tar": 1, "00001.tar": 7}}
    assert yaml.safe_load(meta["split.yaml"]) == {
        "split_parts": {"train": ["00000.tar", "00001.tar"], "val": [], "test": []},
        "exclude": [],
    }
    assert yaml.safe_load(meta["dataset.yaml"])["__class__"] == "CrudeWebdataset"
