import hashlib
import json
import warnings
from pathlib import Path

import pytest

from shards.croissant import CONTEXT, CROISSANT_NAME, SetFile, encode_croissant
from shards.reader import read_index


def test_shards_and_index_are_described_as_given() -> None:
    shard = SetFile(name="00000.tar", num_bytes=512, sha256="ab" * 32)
    index = SetFile(name="index.parquet", num_bytes=4, sha256="cd" * 32)
    document = json.loads(encode_croissant([shard], index=index, name="main"))
    assert (document["name"], document["@context"]) == ("main", CONTEXT)
    assert [(one["name"], one["contentSize"]) for one in document["distribution"]] == [
        ("index.parquet", "4 B"),
        ("00000.tar", "512 B"),
    ]


def test_every_file_stands_there_with_size_and_hash(shard_set: Path) -> None:
    document = json.loads((shard_set / CROISSANT_NAME).read_bytes())
    assert [one["name"] for one in document["distribution"]] == ["index.parquet", "00000.tar", "00001.tar"]
    for entry in document["distribution"]:
        data = (shard_set / entry["contentUrl"]).read_bytes()
        assert entry["contentSize"] == f"{len(data)} B"
        assert entry["sha256"] == hashlib.sha256(data).hexdigest()


def test_fields_are_columns_of_the_index(shard_set: Path) -> None:
    document = json.loads((shard_set / CROISSANT_NAME).read_bytes())
    (records,) = document["recordSet"]
    columns = [field["source"]["extract"]["column"] for field in records["field"]]
    assert set(columns) <= set(read_index(str(shard_set)).column_names)
    assert records["key"]["@id"] == "samples/key"


def test_mlcroissant_reads_it(shard_set: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own business
        mlcroissant = pytest.importorskip("mlcroissant")
        dataset = mlcroissant.Dataset(str(shard_set / CROISSANT_NAME))
        rows = list(dataset.records("samples"))
    assert not dataset.metadata.issues.errors
    index = read_index(str(shard_set))
    assert [row["samples/doc_id"].decode() for row in rows] == index["doc_id"].to_pylist()
    assert [row["samples/num_images"] for row in rows] == index["num_images"].to_pylist()
