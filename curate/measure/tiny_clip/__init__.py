"""A CLIP model small enough for the repository; it knows the demo world and nothing else. See ``MODEL_CARD.md``."""

from pathlib import Path


def model_dir() -> Path:
    """Return the folder that ``open_clip`` loads as ``local-dir:<folder>``."""
    return Path(__file__).resolve().parent
