"""Small samples and shard sets for the tests of this folder."""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from shards.card import FilterYield, ShardSetInfo
from shards.finish import finish_shard_set
from shards.sample import Sample, SampleImage, SampleText
from shards.writer import shard_name, write_shard

MakeSample = Callable[..., Sample]
INFO = ShardSetInfo(
    name="main",
    recipe_sha256="ab" * 32,
    filters=[FilterYield(name="image.clip min=0.15", num_documents=2, num_images=1234)],
)


def _make_image(number: int) -> SampleImage:
    buffer = io.BytesIO()
    Image.new("RGB", (8 + number, 9), (number * 7 % 256, 100, 50)).save(buffer, "JPEG")
    data = buffer.getvalue()
    return SampleImage(
        data=data,
        image_id=hashlib.sha256(data).hexdigest(),
        url=f"http://h/{number}.jpg",
        width=8 + number,
        height=9,
        matched_item=0,
        matched_sim=0.25,
        best_sim=0.5,
    )


def _make_sample(number: int, *, num_images: int = 2) -> Sample:
    """Return a document of one text and some images; without images it is an instruction."""
    return Sample(
        doc_id=f"{number:016x}",
        kind="interleaved" if num_images else "text",
        source="web" if num_images else "flan",
        url=f"http://h/{number}" if num_images else None,
        items=[SampleText(f"Wörter von {number}"), *[_make_image(one) for one in range(num_images)]],
    )


def _write_set(folder: Path, *, num_shards: int = 2, num_samples: int = 4) -> Path:
    """Write a set whose first samples are text only and whose largest document has 12 images."""
    results = []
    for shard in range(num_shards):
        numbers = range(shard * num_samples, (shard + 1) * num_samples)
        samples = [_make_sample(number, num_images=0 if number < 2 else 12 if number == 2 else 1) for number in numbers]
        results.append(write_shard(str(folder / shard_name(shard)), samples, shard=shard))
    finish_shard_set(str(folder), results, info=INFO)
    return folder


@pytest.fixture
def make_sample() -> MakeSample:
    return _make_sample


@pytest.fixture
def shard_set(tmp_path: Path) -> Path:
    return _write_set(tmp_path / "set")


@pytest.fixture
def write_set() -> Callable[..., Path]:
    return _write_set
