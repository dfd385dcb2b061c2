import json
from pathlib import Path

import pytest

from curate.contract.errors import ShardError
from shards.manifest import MANIFEST_NAME, Manifest, ManifestShard, add_up, encode_manifest, read_manifest

SHARDS = [
    ManifestShard(name="00000.tar", num_samples=2, num_images=3, num_bytes=10, sha256="aa"),
    ManifestShard(name="00001.tar", num_samples=1, num_images=0, num_bytes=20, sha256="bb"),
]
MANIFEST = Manifest(name="main", shards=SHARDS, totals=add_up(SHARDS), blend={"b": 1, "a": "ü"}, recipe_sha256="cc")


def test_totals_add_up() -> None:
    assert MANIFEST.totals.model_dump() == {"num_shards": 2, "num_samples": 3, "num_images": 3, "num_bytes": 30}


def test_a_manifest_comes_back_as_it_was(tmp_path: Path) -> None:
    (tmp_path / MANIFEST_NAME).write_bytes(encode_manifest(MANIFEST))
    assert read_manifest(str(tmp_path)) == MANIFEST


def test_its_bytes_do_not_depend_on_the_order_of_keys() -> None:
    turned = MANIFEST.model_copy(update={"blend": {"a": "ü", "b": 1}})
    assert encode_manifest(turned) == encode_manifest(MANIFEST)
    assert json.loads(encode_manifest(MANIFEST))["format_version"] == 1


def test_a_missing_manifest_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match=r"manifest.json is missing"):
        read_manifest(str(tmp_path))


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "file: Invalid JSON"), ("{}", "shards: Field required"), ('{"format_version": 2}', "format_version: ")],
)
def test_a_file_that_is_no_manifest_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / MANIFEST_NAME).write_text(text)
    with pytest.raises(ShardError, match=message):
        read_manifest(str(tmp_path))
