"""Training: the packed loop beside padded batches of the same documents, and what it waits for data."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from statistics import median
from typing import Any

from curate.contract.errors import CurateError
from pipelines.bench.row import BenchRow

WAIT_LIMIT = 0.02
"""Largest share of step time that may be spent waiting for data."""
GPU_UNITS = {
    "tokens_per_s": "tokens/s",
    "mfu": "share of peak FLOP/s",
    "data_wait": "share of step time",
    "fill": "share of places",
    "peak_memory_bytes": "bytes",
}
"""Of a step of a model of 1.6 billion weights."""
TIMEOUT_S = 1800


def bench_train() -> list[BenchRow]:
    """Measure tokens per second in a process of its own: pipelines import no training code.

    Raises:
        CurateError: The measurement failed.
    """
    command = [sys.executable, "-m", "train_bridge.bench.train"]
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command, check=True, env=environment, stdout=subprocess.PIPE, timeout=TIMEOUT_S
        )
    except subprocess.SubprocessError as error:
        raise CurateError(f"bench train: {error}") from error
    return rows_of(json.loads(done.stdout))


def rows_of(measured: dict[str, Any]) -> list[BenchRow]:
    """Return the rows of what ``train_bridge.bench.train`` prints; those of a GPU only where it had one."""
    packed, padded, wait = (median(measured[name]) for name in ("packed", "padded", "data_wait"))
    num_runs = len(measured["packed"])
    return [
        BenchRow(
            bench="train",
            case="packed",
            unit="tokens/s",
            ours=packed,
            peer=f"padded batches, PyTorch {version('torch')}",
            peer_value=padded,
            ratio=packed / padded,
            runs=num_runs,
        ),
        BenchRow(
            bench="train",
            case="data-wait",
            unit="share of step time",
            ours=wait,
            peer="limit",
            peer_value=WAIT_LIMIT,
            ratio=WAIT_LIMIT / wait if wait else None,
            runs=num_runs,
        ),
        *(_gpu_row(case, unit, measured) for case, unit in GPU_UNITS.items() if "gpu" in measured),
    ]


def _gpu_row(case: str, unit: str, measured: dict[str, Any]) -> BenchRow:
    value = float(measured["gpu"][case])
    name = f"gpu {case}"
    return BenchRow(
        bench="train", case=name, unit=unit, ours=value, peer=measured["gpu_name"], peer_value=None, ratio=None, runs=1
    )
