"""Writing shards with index and checksums, beside a bare TarWriter that writes the same parts."""

import random
import tempfile
import time
from functools import partial
from pathlib import Path

import webdataset

from curate.contract.ids import sha256_hex
from pipelines.bench.row import Row, compare
from shards.sample import Sample, SampleImage, SampleText, encode_sample
from shards.writer import sample_key, write_shard

NUM_SAMPLES = 2000
IMAGE_BYTES = 60_000
"""A 384-pixel photograph as JPEG."""
MEGABYTE = 1e6


def bench_shards() -> list[Row]:
    """Measure MB/s of one process writing one shard."""
    samples = [_sample(number) for number in range(NUM_SAMPLES)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "00000.tar")
        row = compare(
            "shards",
            "write-1",
            unit="MB/s",
            ours=partial(_write_ours, path, samples),
            peer=f"webdataset TarWriter {webdataset.__version__}",
            theirs=partial(_write_bare, path, samples),
        )
    return [row]


def _sample(number: int) -> Sample:
    data = random.Random(number).randbytes(IMAGE_BYTES)
    image = SampleImage(data=data, image_id=sha256_hex(data), url=None, width=384, height=384)
    text = SampleText(f"what the image of sample {number} shows")
    return Sample(doc_id=f"{number:016x}", kind="pair", source="bench", url=None, items=(image, text))


def _write_ours(path: Path, samples: list[Sample]) -> float:
    start_s = time.perf_counter()
    write_shard(str(path), samples, shard=0)
    return path.stat().st_size / MEGABYTE / (time.perf_counter() - start_s)


def _write_bare(path: Path, samples: list[Sample]) -> float:
    start_s = time.perf_counter()
    with path.open("wb") as file, webdataset.TarWriter(file, encoder=False) as tar:
        for sequence, sample in enumerate(samples):
            tar.write({"__key__": sample_key(0, sequence), **dict(encode_sample(sample))})
    return path.stat().st_size / MEGABYTE / (time.perf_counter() - start_s)
