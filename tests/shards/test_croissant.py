import hashlib
import json
import warnings
from pathlib import Path

import pytest

from shards.croissant import CONTEXT, SetFile, encode_croissant
from shards.manifest import read_manifest
from shards.reader import read_index


def _write(folder: Path) -> Path:
    shards = [
        SetFile(name=one.name, num_bytes=one.num_bytes, sha256=one.sha256) for one in read_manifest(str(folder)).shards
    ]
    index = ("index.parquet", (folder / "index.parquet").read_bytes())
    path = folder / "croissant.json"
    path.write_bytes(encode_croissant(shards, index=index, name="main", description="Für Tests.", license_id="other"))
    return path


def test_every_file_stands_there_with_size_and_hash(shard_set: Path) -> None:
    document = json.loads(_write(shard_set).read_bytes())
    assert (document["name"], document["description"], document["license"]) == ("main", "Für Tests.", "other")
    assert [one["name"] for one in document["distribution"]] == ["index.parquet", "00000.tar", "00001.tar"]
    for entry in document["distribution"]:
        data = (shard_set / entry["contentUrl"]).read_bytes()
        assert entry["contentSize"] == f"{len(data)} B"
        assert entry["sha256"] == hashlib.sha256(data).hexdigest()


def test_fields_are_columns_of_the_index(shard_set: Path) -> None:
    document = json.loads(_write(shard_set).read_bytes())
    (records,) = document["recordSet"]
    columns = [field["source"]["extract"]["column"] for field in records["field"]]
    assert set(columns) <= set(read_index(str(shard_set)).column_names)
    assert records["key"]["@id"] == "samples/key"
    assert document["@context"] == CONTEXT


def test_mlcroissant_reads_it(shard_set: Path) -> None:
    path = _write(shard_set)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own business
        mlcroissant = pytest.importorskip("mlcroissant")
        dataset = mlcroissant.Dataset(str(path))
        rows = list(dataset.records("samples"))
    assert not dataset.metadata.issues.errors
    index = read_index(str(shard_set))
    assert [row["samples/doc_id"].decode() for row in rows] == index["doc_id"].to_pylist()
    assert [row["samples/num_images"] for row in rows] == index["num_images"].to_pylist()
