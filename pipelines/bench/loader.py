"""The loader beside webdataset and Megatron Energon over the same tars: rates, state, resume."""

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from curate.contract.errors import CurateError
from curate.contract.ids import sha256_hex
from pipelines.bench.file_server import served
from pipelines.bench.pictures import photo_jpeg
from pipelines.bench.row import BenchRow
from shards.card import ShardSetInfo
from shards.finish import finish_shard_set
from shards.sample import Sample, SampleImage, SampleText
from shards.writer import shard_name, write_shard

NUM_SAMPLES, NUM_SHARDS = 6000, 8
"""Pairs in all, about 400 MB."""
NUM_PICTURES = 32
"""Distinct ones, which are repeated."""
PICTURE_PX = 512
NUM_LONG, LONG_WORDS, SHORT_WORDS = 10, 160_000, 400
"""Documents, and words in each; of the short ones as many words in all."""
IMAGE_EVERY, ITEM_WORDS = 400, 80
"""Words of an article between two images, and in an item of text."""
NUM_SMALL, SMALL_PX, LATENCY_S = 4000, 128, 0.03
"""Pairs on a store that waits before each answer."""
TIMEOUT_S = 1800
PEERS = ("webdataset", "megatron-energon")
PLAN_LIMIT = 100_000
"""Samples per second that planning shall not fall below."""
LESS_IS_BETTER = {"state-bytes": "bytes", "resume-s": "s"}


def bench_loader() -> list[BenchRow]:
    """Write a shard set, and measure in a process of its own: pipelines import no training code.

    Raises:
        CurateError: The measurement failed.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        names = ("pairs", "long", "short", "small")
        pairs, long, short, small = (Path(folder, name) for name in names)
        write_pairs(pairs, num_samples=NUM_SAMPLES, num_shards=NUM_SHARDS)
        write_articles(long, num_samples=NUM_LONG, num_words=LONG_WORDS)
        write_articles(short, num_samples=NUM_LONG * LONG_WORDS // SHORT_WORDS, num_words=SHORT_WORDS)
        write_pairs(small, num_samples=NUM_SMALL, num_shards=NUM_SHARDS, picture_px=SMALL_PX)
        url = stack.enter_context(served(small, delay_s=LATENCY_S))
        command = [sys.executable, "-W", "ignore", "-m", "train_bridge.bench.loader", str(pairs)]
        command += ["--long", str(long), "--short", str(short), "--remote", url]
        environment = {"OMP_NUM_THREADS": "1", **os.environ}
        try:
            done = subprocess.run(  # noqa: S603 - our own module
                command, check=True, env=environment, stdout=subprocess.PIPE, timeout=TIMEOUT_S
            )
        except subprocess.SubprocessError as error:
            raise CurateError(f"bench loader: {error}") from error
    return rows_of(json.loads(done.stdout.splitlines()[-1]))


def write_pairs(folder: Path, *, num_samples: int, num_shards: int, picture_px: int = PICTURE_PX) -> None:
    """Write pairs of a photograph and a caption as a finished shard set."""
    images = _photographs(min(NUM_PICTURES, num_samples), picture_px=picture_px)
    per_shard = num_samples // num_shards
    results = [
        write_shard(
            str(folder / shard_name(shard)),
            _pairs(images, range(shard * per_shard, (shard + 1) * per_shard)),
            shard=shard,
        )
        for shard in range(num_shards)
    ]
    finish_shard_set(str(folder), results, info=ShardSetInfo(name="bench", recipe_sha256="0" * 64))


def write_articles(folder: Path, *, num_samples: int, num_words: int) -> None:
    """Write interleaved documents with a small image every 400 words as a finished shard set."""
    images = _photographs(NUM_PICTURES, picture_px=SMALL_PX)
    result = write_shard(str(folder / shard_name(0)), _articles(images, num_samples, num_words=num_words), shard=0)
    finish_shard_set(str(folder), [result], info=ShardSetInfo(name="bench", recipe_sha256="0" * 64))


def _photographs(number: int, *, picture_px: int) -> list[SampleImage]:
    pictures = [photo_jpeg(picture_px, picture_px, seed=seed) for seed in range(number)]
    return [
        SampleImage(data=data, image_id=sha256_hex(data), url=None, width=picture_px, height=picture_px)
        for data in pictures
    ]


def _articles(images: Sequence[SampleImage], num_samples: int, *, num_words: int) -> Iterator[Sample]:
    rng = random.Random(0)
    words = [f"{start}{end}" for start in ("ba", "co", "di", "fu", "lo") for end in ("ne", "ra", "st", "", "ling")]
    for number in range(num_samples):
        items: list[SampleImage | SampleText] = []
        for place in range(0, num_words, ITEM_WORDS):
            if place % IMAGE_EVERY == 0:
                items.append(rng.choice(images))
            items.append(SampleText(" ".join(rng.choices(words, k=ITEM_WORDS))))
        yield Sample(doc_id=f"{number:016x}", kind="interleaved", source="bench", url=None, items=items)


def _pairs(images: Sequence[SampleImage], numbers: range) -> Iterator[Sample]:
    for number in numbers:
        text = SampleText(f"what photograph number {number} shows, told in the dozen words of a caption")
        items = (images[number % len(images)], text)
        yield Sample(doc_id=f"{number:016x}", kind="pair", source="bench", url=None, items=items)


def rows_of(measured: Mapping[str, Mapping[str, object]]) -> list[BenchRow]:
    """Return the rows of what ``train_bridge.bench.loader`` prints: ``values`` per case and ``versions``."""
    values: dict[str, list[float]] = dict(measured["values"])  # type: ignore[arg-type]  # JSON
    versions = measured["versions"]
    rows = [_limit_row("plan", values["plan"], PLAN_LIMIT)]
    for case in ("raw", "decoded"):
        peers = ("bare", "bare, all cores", *PEERS) if case == "decoded" else PEERS
        names = {
            "bare": "bare decode, one thread",
            "bare, all cores": "bare decode, a thread per core",
            **{name: f"{name} {versions[name] or ''}".strip() for name in PEERS},
        }
        rows += [_row(case, "samples/s", values, name, peer=names[name]) for name in peers]
    if "long-document" in values:
        values |= {"latency-30ms stored eight": values["latency-30ms eight"]}
        rows += [
            _row("long-document", "tokens/s", values, "short", peer=f"documents of {SHORT_WORDS} words"),
            _row("latency-30ms", "samples/s", values, "eight", peer="eight requests at a time"),
            _row("latency-30ms stored", "samples/s", values, "eight", peer="eight requests at a time"),
        ]
    for case, unit in LESS_IS_BETTER.items():
        name = "megatron-energon"
        rows.append(_row(case, unit, values, name, peer=f"{name} {versions[name] or ''}".strip()))
    return rows


def _limit_row(case: str, values: Sequence[float], limit: float) -> BenchRow:
    return BenchRow(
        bench="loader",
        case=case,
        unit="samples/s",
        ours=median(values),
        peer="limit",
        peer_value=limit,
        ratio=median(values) / limit,
        runs=len(values),
    )


def _row(case: str, unit: str, values: Mapping[str, Sequence[float]], name: str, *, peer: str) -> BenchRow:
    ours, theirs = median(values[case]), values.get(f"{case} {name}")
    peer_value = median(theirs) if theirs else None
    ratio = None if peer_value is None else (peer_value / ours if case in LESS_IS_BETTER else ours / peer_value)
    return BenchRow(
        bench="loader",
        case=case,
        unit=unit,
        ours=ours,
        peer=peer,
        peer_value=peer_value,
        ratio=ratio,
        runs=len(values[case]),
    )
