"""A CLIP model small enough to live in the repository; it knows the demo world and nothing else."""

from pathlib import Path


def model_dir() -> Path:
    """Return the folder that ``open_clip`` loads as ``local-dir:<folder>``."""
    return Path(__file__).resolve().parent
