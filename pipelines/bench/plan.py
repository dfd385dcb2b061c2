"""How a training run on ten million samples begins: from a saved state, in how much memory, and counting tokens."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from curate.contract.errors import CurateError
from pipelines.bench.loader import write_articles, write_pairs
from pipelines.bench.row import BenchRow

NUM_PAIRS, NUM_SHARDS, PICTURE_PX = 2000, 4, 128
"""Whose counts are repeated."""
NUM_COUNTED, COUNTED_WORDS = 20_000, 400
"""Documents whose tokens are counted, and words in each."""
MEMORY_LIMIT = 40.0
"""Bytes per sample that a machine shall not exceed."""
TIMEOUT_S = 1800


def bench_plan() -> list[BenchRow]:
    """Write two shard sets, and measure in a process of its own: pipelines import no training code.

    Raises:
        CurateError: The measurement failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        pairs, articles = Path(folder, "pairs"), Path(folder, "articles")
        write_pairs(pairs, num_samples=NUM_PAIRS, num_shards=NUM_SHARDS, picture_px=PICTURE_PX)
        write_articles(articles, num_samples=NUM_COUNTED, num_words=COUNTED_WORDS)
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "train_bridge.bench.start",
            str(pairs),
            "--count",
            str(articles),
        ]
        try:
            done = subprocess.run(  # noqa: S603 - our own module
                command, check=True, env=dict(os.environ), stdout=subprocess.PIPE, timeout=TIMEOUT_S
            )
        except subprocess.SubprocessError as error:
            raise CurateError(f"bench plan: {error}") from error
    return rows_of(json.loads(done.stdout.splitlines()[-1])["values"])


def rows_of(values: Mapping[str, Sequence[float]]) -> list[BenchRow]:
    """Return the rows of what ``train_bridge.bench.start`` prints."""
    start, planning = median(values["start"]), median(values["start planning"])
    memory, counted, one = (median(values[name]) for name in ("memory", "count-tokens", "count-tokens one"))
    return [
        _row("start", "s", start, "planning up to there", planning, planning / start, runs=len(values["start"])),
        _row("memory", "bytes/sample", memory, "limit", MEMORY_LIMIT, MEMORY_LIMIT / memory, runs=1),
        _row("count-tokens", "samples/s", counted, "one process", one, counted / one, runs=len(values["count-tokens"])),
    ]


def _row(  # noqa: PLR0913 - a row has these fields
    case: str, unit: str, ours: float, peer: str, peer_value: float, ratio: float, *, runs: int
) -> BenchRow:
    return BenchRow(
        bench="plan", case=case, unit=unit, ours=ours, peer=peer, peer_value=peer_value, ratio=ratio, runs=runs
    )
