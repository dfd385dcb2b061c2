"""A shard set with everything that a foreign format may stumble over."""

import gc
import hashlib
import io
import random
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import webdataset
from PIL import Image
from scipy.optimize import linear_sum_assignment

from shards.card import ShardSetInfo
from shards.finish import finish_shard_set
from shards.reader import StoredSample
from shards.sample import Sample, SampleImage, SampleText, sample_images, sample_record
from shards.writer import shard_name, write_shard

INFO = ShardSetInfo(name="main", recipe_sha256="ab" * 32)
LARGE_PX, SMALL_PX = 112, 12
"""Noise of these sides is above and below OpenFlamingo's 11,000 bytes."""


def make_image(number: int, *, side_px: int = LARGE_PX) -> bytes:
    """Return a JPEG of noise, the same for the same number."""
    noise = random.Random(number).randbytes(side_px * side_px * 3)
    buffer = io.BytesIO()
    Image.frombytes("RGB", (side_px, side_px), noise).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def make_document(  # noqa: PLR0913 - one keyword per property of a document
    number: int,
    layout: str,
    *,
    sizes_px: Sequence[int] = (),
    roles: Sequence[str] = (),
    matrix: Sequence[Sequence[float]] | None = None,
    is_scored: bool = True,
    has_urls: bool = True,
) -> Sample:
    """Return a document whose ``layout`` is a string of ``t`` and ``i``, such as ``tit``."""
    num_images, num_texts = layout.count("i"), layout.count("t")
    if matrix is None:
        matrix = np.random.default_rng(number).uniform(0.1, 0.4, (num_images, num_texts)).round(5).tolist()
    places = [place for place, kind in enumerate(layout) if kind == "t"]
    matches: dict[int, int] = {}
    if num_images and num_texts and is_scored:
        matches = dict(zip(*map(list, linear_sum_assignment(np.nan_to_num(-np.array(matrix)))), strict=True))
    items: list[SampleText | SampleImage] = []
    for kind in layout:
        image = sum(isinstance(item, SampleImage) for item in items)
        text = len(items) - image
        if kind == "t":
            items.append(SampleText(f"text {text} of {number} é", roles[text] if roles else None))
            continue
        side_px = sizes_px[image] if sizes_px else SMALL_PX
        data = make_image(number * 100 + image, side_px=side_px)
        items.append(
            SampleImage(
                data=data,
                image_id=hashlib.sha256(data).hexdigest(),
                url=f"http://h/{number}/{image}.jpg" if has_urls else None,
                width=side_px,
                height=side_px,
                matched_item=places[matches[image]] if image in matches else None,
                matched_sim=matrix[image][matches[image]] if image in matches else None,
                best_sim=max(matrix[image], default=None) if is_scored else None,
                alt=f"alt {image}" if image % 2 else None,
                similarity=matrix[image] if is_scored else None,
            )
        )
    kind = "text" if "i" not in layout else "pair" if layout == "it" else "interleaved"
    return Sample(
        doc_id=f"{number:016x}",
        kind=kind,
        source=f"{kind}s",
        url=None if kind == "pair" else f"http://h/{number}",
        items=items,
        meta={"id": number},
    )


def store(sample: Sample, *, key: str = "00000000000") -> StoredSample:
    """Return a sample as a reader gives it back."""
    return StoredSample(key=key, record=sample_record(sample), images=sample_images(sample))


DOCUMENTS = (
    make_document(0, "tt", roles=("user", "assistant")),
    make_document(1, "tttt", roles=("system", "user", "assistant", "user")),
    make_document(2, "t"),
    make_document(3, "it", sizes_px=(LARGE_PX,)),
    make_document(4, "titti", sizes_px=(LARGE_PX, LARGE_PX)),
    make_document(5, "iitt", sizes_px=(LARGE_PX, SMALL_PX)),
    make_document(6, "t" + "i" * 30 + "tt"),
    make_document(7, "ii"),
    make_document(8, "tit", is_scored=False),
    make_document(9, "i", has_urls=False),
    make_document(10, "itti", has_urls=False),
)
NUM_IMAGES = sum(len(sample_images(sample)) for sample in DOCUMENTS)


def read_with_webdataset(folder: Path) -> list[dict[str, Any]]:
    """Return the samples of all tars of a folder as webdataset reads them."""
    paths = sorted(str(path) for path in folder.glob("*.tar"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # webdataset leaves its files to the garbage collector
        samples = list(webdataset.WebDataset(paths, shardshuffle=False))
        gc.collect()
    return samples


@pytest.fixture(scope="session")
def varied_set(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three shards: 4 + 4 + 3 documents."""
    folder: Path = tmp_path_factory.mktemp("varied")
    results = [
        write_shard(str(folder / shard_name(shard)), DOCUMENTS[shard * 4 : shard * 4 + 4], shard=shard)
        for shard in range(3)
    ]
    finish_shard_set(str(folder), results, info=INFO)
    return str(folder)
