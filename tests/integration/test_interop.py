"""The loaders that people already use read a shard set as it lies there, and all find the same in it."""

import json
import os
import random
import subprocess
import sys
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from shards.card import ShardSetInfo
from shards.finish import finish_shard_set
from shards.manifest import read_manifest
from shards.sample import Sample, SampleImage, SampleText
from shards.verify import verify_shards
from shards.writer import shard_name, write_shard
from tests.shards.export.conftest import make_document

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[2]
PEERS = ("wids", "datasets", "megatron")
NUM_TEXTS_FIRST = 10
MOST_IMAGES = 30


def _make_samples(start: int, end: int) -> list[Sample]:
    """Return texts first, as many as would hide all images from whoever looks at the first samples only."""
    chance = random.Random(start)
    samples = []
    for number in range(start, end):
        num_images = 0 if number < NUM_TEXTS_FIRST else MOST_IMAGES if number == 25 else chance.randrange(5)
        layout = "t" + "".join(chance.choice(("i", "ti")) for _ in range(num_images))
        samples.append(make_document(number, layout, is_scored=number % 3 > 0))
    return samples


@pytest.fixture(scope="module")
def mixed_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("interop") / "set"
    edges = [0, 12, 24, 40]
    results = [
        write_shard(str(folder / shard_name(shard)), _make_samples(start, end), shard=shard)
        for shard, (start, end) in enumerate(pairwise(edges))
    ]
    finish_shard_set(str(folder), results, info=ShardSetInfo(name="main", recipe_sha256="ab" * 32))
    return folder


@pytest.fixture(scope="module")
def found(mixed_set: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    missing = [name for name in PEERS if find_spec(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    home = tmp_path_factory.mktemp("home")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment |= {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "WIDS_CACHE": str(home / "wids")}
    script = Path(__file__).with_name("interop_readers.py")
    done = subprocess.run(
        [sys.executable, str(script), str(mixed_set)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    counts: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return counts


def test_the_set_is_a_hard_one(mixed_set: Path) -> None:
    assert verify_shards(str(mixed_set)) == []
    samples = _make_samples(0, 40)
    assert all(isinstance(item, SampleText) for one in samples[:NUM_TEXTS_FIRST] for item in one.items)
    assert max(sum(isinstance(item, SampleImage) for item in one.items) for one in samples) == MOST_IMAGES


def test_all_readers_agree_with_the_manifest(mixed_set: Path, found: dict[str, dict[str, Any]]) -> None:
    totals = read_manifest(str(mixed_set)).totals
    assert set(found) == {"webdataset", "wids", "datasets", "datasets streaming", "megatron-energon"}
    for name, counts in found.items():
        assert (counts["samples"], counts["images"]) == (totals.num_samples, totals.num_images), name


def test_all_readers_agree_on_bytes_and_content(found: dict[str, dict[str, Any]]) -> None:
    first = found["webdataset"]
    assert first["bytes"] > 0
    assert all(counts == first for counts in found.values())


def test_reading_changes_nothing_in_the_set(mixed_set: Path, found: dict[str, dict[str, Any]]) -> None:
    assert found
    assert verify_shards(str(mixed_set)) == []
    names = {path.name for path in mixed_set.iterdir()}
    tars = {shard_name(shard) for shard in range(3)}
    files = {"index.parquet", "manifest.json", "README.md", "wids.json", "croissant.json", ".nv-meta"}
    assert names == tars | {f"{tar}.idx" for tar in tars} | files
