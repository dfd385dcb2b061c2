"""Streams shards into training jobs: a packing loader for any trainer, and VILA's three stages.

``train_bridge.ShardDataset`` is what other trainers use; ``python -m train_bridge STAGE.yaml`` trains. Start at
``data/shard_dataset.py`` or ``training/loop.py``.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from train_bridge.data.shard_dataset import ShardDataset

__all__ = ["ShardDataset"]


def __getattr__(name: str) -> object:
    """Import the dataset when it is asked for: torch and transformers take seconds."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from train_bridge.data.shard_dataset import ShardDataset  # noqa: PLC0415

    return ShardDataset


def __dir__() -> list[str]:
    """Name what is imported when it is asked for, too."""
    return sorted([*globals(), *__all__])
