"""Reads the losses of a training stage from what it tells of itself."""

import json
from pathlib import Path

METRICS_NAME = "metrics.jsonl"


def read_losses(folder: Path) -> list[tuple[int, float]]:
    """Return step and loss of each step; other lines tell of the data, of skipped samples and the like."""
    lines = (folder / METRICS_NAME).read_text(encoding="utf-8").splitlines()
    return [(entry["step"], entry["loss"]) for entry in map(json.loads, lines) if "loss" in entry]
