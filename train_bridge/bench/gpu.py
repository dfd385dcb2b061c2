"""Measures steps of stage 1 at the size of real training: a model of 1.6 billion random weights, sequences of 4,096.

Everything is as in a run: the loop, bf16, flex attention, gradient checkpointing, the loader in processes of its own.
Where there is a CUDA device, ``train_bridge.bench.train`` measures it, and ``train_bridge.bench.device`` in several
settings; tests run it small on the CPU.
"""

import statistics
from collections.abc import Mapping
from contextlib import suppress

import torch

from train_bridge.config import StageConfig
from train_bridge.model_config import TinyConfig
from train_bridge.training.loop import train_stage
from train_bridge.training.metrics import read_metrics
from train_bridge.training.ranks import Ranks

LARGE = TinyConfig(
    hidden_size=2048,
    num_layers=24,
    vision_hidden_size=1024,
    vision_num_layers=24,
    image_size=336,
    patch_size=14,
    initializer_range=0.02,
)
"""A language model of 1.3 billion weights, a vision tower as large as CLIP-L; 576 tokens per image."""
NUM_WARM = 3
"""First steps, which are not counted: kernels are compiled in them."""


class _EnoughError(Exception):
    """All steps are measured."""


def measure_steps(  # noqa: PLR0913 - sizes
    shards: str,
    folder: str,
    *,
    ranks: Ranks,
    model: TinyConfig = LARGE,
    seq_length: int = 4096,
    global_batch: int = 8,
    num_steps: int = 15,
    changes: Mapping[str, Mapping[str, object]] | None = None,
) -> dict[str, float]:
    """Return what steps of a run took.

    Args:
        shards: A shard set.
        folder: For the run.
        ranks: Of this process.
        model: Sizes.
        seq_length: Tokens per pack.
        global_batch: Packs per step.
        num_steps: Of which the first are not counted.
        changes: Settings that are others than here, by section.

    Returns:
        Medians of ``tokens_per_s``, ``mfu``, ``data_wait`` and ``fill``; ``peak_memory_bytes``, and by how much the
        memory in use at the end of a step grew in the second half of the steps, ``memory_growth_bytes``; the mean loss
        of the first and of the last fifth of the steps, ``first_loss`` and ``last_loss``.
    """
    is_cuda = ranks.device.type == "cuda"
    if is_cuda:
        torch.cuda.reset_peak_memory_stats()
    content: dict[str, dict[str, object]] = {
        "model": {"tiny": model.model_dump()},
        "data": {"shards": shards, "order": "shuffled"},
        "pack": {"seq_length": seq_length},
        "optim": {"lr": 5e-5, "global_batch": global_batch, "max_steps": num_steps + 1},
        "run": {"num_workers": 4, "checkpoint_every": 1_000_000, "tensorboard": False},
    }
    merged = {section: {**values, **(changes or {}).get(section, {})} for section, values in content.items()}
    config = StageConfig.model_validate({"output": folder, **merged})
    in_use: list[int] = []

    def note_memory() -> bool:
        if len(in_use) == num_steps:
            raise _EnoughError
        in_use.append(torch.cuda.memory_allocated() if is_cuda else 0)
        return False

    with suppress(_EnoughError):  # amid the step after the last: that one would write 20 GB of checkpoint and model
        train_stage(config, ranks=ranks, asked=note_memory)
    records = read_metrics(config.output)
    counted = records[min(NUM_WARM, num_steps - 1) :]
    found = {
        name: statistics.median(float(record[name] or 0.0) for record in counted)
        for name in ("tokens_per_s", "mfu", "data_wait", "fill")
    }
    half, fifth = max(1, num_steps // 2), max(1, num_steps // 5)
    losses = [float(record["loss"]) for record in records]
    return {
        **found,
        "peak_memory_bytes": float(torch.cuda.max_memory_allocated() if is_cuda else 0),
        "memory_growth_bytes": float(max(in_use[half:]) - max(in_use[:half])),
        "first_loss": statistics.mean(losses[:fifth]),
        "last_loss": statistics.mean(losses[-fifth:]),
    }
