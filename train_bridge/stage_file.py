"""Reads a stage file: YAML and ``--set`` overrides to a checked ``StageConfig``, or every fault at once."""

from collections.abc import Sequence

from curate.settings.load import parse_settings, read_settings
from train_bridge.config import StageConfig


def load_stage(path: str, *, overrides: Sequence[str] = ()) -> StageConfig:
    """Read and check a stage file.

    Args:
        path: YAML file.
        overrides: ``a.b=value`` each, value in YAML; they win over the file, the last one over those before it.

    Raises:
        RecipeError: All faults of file and overrides, each with its place.
    """
    return parse_settings(read_settings(path), StageConfig, overrides=overrides)
