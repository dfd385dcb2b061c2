"""Writing shards with index and checksums, beside a bare TarWriter that writes the same parts; reading at random."""

import functools
import json
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, wait
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import webdataset

from curate.contract.errors import ShardError
from curate.contract.ids import sha256_hex
from pipelines.bench.row import BenchRow, compare
from shards.card import ShardSetInfo
from shards.finish import finish_shard_set
from shards.reader import ShardReader, read_index
from shards.sample import Sample, SampleImage, SampleText, encode_sample
from shards.writer import sample_key, shard_name, write_shard

NUM_SAMPLES = 2000
"""Per shard: 125 MB."""
IMAGE_BYTES = 60_000
"""A 384-pixel photograph as JPEG."""
MEGABYTE = 1e6


def bench_shards() -> list[BenchRow]:
    """Measure MB/s of one process and of two that write a shard each, and samples/s read by index.

    The peer of writing is one process in each case: it writes the same parts, without index, checksum or fsync.
    """
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        root = Path(folder)
        return [*(_compare_writing(root, pool, num_workers) for num_workers in (1, 2)), _compare_reading(root / "set")]


def _compare_writing(root: Path, pool: Executor, num_workers: int) -> BenchRow:
    bare = partial(pool.submit, _write_bare, root / "bare.tar")
    return compare(
        "shards",
        f"write-{num_workers}",
        unit="MB/s",
        ours=partial(
            _measure_mb_per_s, [partial(pool.submit, _write_ours, root, shard) for shard in range(num_workers)]
        ),
        peer=f"webdataset TarWriter {webdataset.__version__}",
        theirs=partial(_measure_mb_per_s, [bare]),
    )


def _compare_reading(folder: Path) -> BenchRow:
    result = write_shard(str(folder / shard_name(0)), _samples(), shard=0)
    finish_shard_set(str(folder), [result], info=ShardSetInfo(name="bench", recipe_sha256="0" * 64))
    return compare(
        "shards",
        "read-random",
        unit="samples/s",
        ours=partial(_read_at_random, folder),
        peer=f"webdataset in sequence {webdataset.__version__}",
        theirs=partial(_read_in_sequence, folder / shard_name(0)),
    )


def _measure_mb_per_s(starts: list[Callable[[], Future[int]]]) -> float:
    """Start jobs at once, wait for all, and return what they wrote per second."""
    start_s = time.perf_counter()
    jobs = [start() for start in starts]
    wait(jobs)
    took_s = time.perf_counter() - start_s
    return sum(job.result() for job in jobs) / MEGABYTE / took_s


@functools.cache
def _samples() -> list[Sample]:
    """Return the samples of every shard; each process makes them once, in the run that is not measured."""
    return [_sample(number) for number in range(NUM_SAMPLES)]


def _sample(number: int) -> Sample:
    data = random.Random(number).randbytes(IMAGE_BYTES)
    image = SampleImage(data=data, image_id=sha256_hex(data), url=None, width=384, height=384)
    text = SampleText(f"what the image of sample {number} shows")
    return Sample(doc_id=f"{number:016x}", kind="pair", source="bench", url=None, items=(image, text))


def _write_ours(root: Path, shard: int, samples: Sequence[Sample] | None = None) -> int:
    return write_shard(str(root / shard_name(shard)), samples or _samples(), shard=shard).num_bytes


def _write_bare(path: Path, samples: Sequence[Sample] | None = None) -> int:
    with path.open("wb") as file, webdataset.TarWriter(file, encoder=False) as tar:
        for sequence, sample in enumerate(samples or _samples()):
            tar.write({"__key__": sample_key(0, sequence), **dict(encode_sample(sample))})
    return path.stat().st_size


def _read_at_random(folder: Path) -> float:
    """Read every sample once, in a random order, its JSON parsed."""
    rows = read_index(str(folder)).to_pylist()
    random.Random(0).shuffle(rows)
    start_s = time.perf_counter()
    with ShardReader(str(folder)) as reader:
        num_bytes = sum(len(image) for row in rows for image in reader.read(row).images)
    took_s = time.perf_counter() - start_s
    return _count_samples(num_bytes) / took_s


def _read_in_sequence(path: Path) -> float:
    start_s = time.perf_counter()
    num_bytes = 0
    for sample in webdataset.WebDataset(str(path), shardshuffle=False):
        json.loads(sample["json"])
        num_bytes += len(sample["0.jpg"])
    took_s = time.perf_counter() - start_s
    return _count_samples(num_bytes) / took_s


def _count_samples(num_bytes: int) -> int:
    """Return the number of samples read, having made sure that none was left out."""
    if num_bytes != NUM_SAMPLES * IMAGE_BYTES:
        raise ShardError(f"{num_bytes} bytes of images were read, {NUM_SAMPLES * IMAGE_BYTES} were written")
    return NUM_SAMPLES
