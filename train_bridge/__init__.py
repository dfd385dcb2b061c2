"""Streams shards into training jobs. ``train_bridge.ShardDataset`` is what other trainers use."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from train_bridge.data.shard_dataset import ShardDataset as ShardDataset


def __getattr__(name: str) -> Any:
    """Import the dataset when it is asked for: torch and transformers take seconds."""
    if name != "ShardDataset":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from train_bridge.data.shard_dataset import ShardDataset  # noqa: PLC0415

    return ShardDataset
