"""Measures steps of stage 1 at the size of real training: a model of 1.6 billion random weights, sequences of 4,096.

Everything is as in a run: the loop, bf16, flex attention, gradient checkpointing, the loader in processes of its own.
``train_bridge.bench.train`` measures it where there is a CUDA device; tests run it small on the CPU.
"""

import statistics

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


def measure_steps(  # noqa: PLR0913 - sizes
    shards: str,
    folder: str,
    *,
    ranks: Ranks,
    model: TinyConfig = LARGE,
    seq_length: int = 4096,
    global_batch: int = 8,
    num_steps: int = 15,
    num_workers: int = 4,
) -> dict[str, float]:
    """Return the medians of ``tokens_per_s``, ``mfu``, ``data_wait`` and ``fill``, and ``peak_memory_bytes``.

    Args:
        shards: A shard set.
        folder: For the run.
        ranks: Of this process.
        model: Sizes.
        seq_length: Tokens per pack.
        global_batch: Packs per step.
        num_steps: Of which the first are not counted.
        num_workers: Loader processes.
    """
    if ranks.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    config = StageConfig.model_validate(
        {
            "output": folder,
            "model": {"tiny": model.model_dump()},
            "data": {"shards": shards, "order": "shuffled"},
            "pack": {"seq_length": seq_length},
            "optim": {"lr": 5e-5, "global_batch": global_batch, "max_steps": num_steps},
            "run": {"num_workers": num_workers, "checkpoint_every": 1_000_000, "tensorboard": False},
        }
    )
    train_stage(config, ranks=ranks)
    records = read_metrics(config.output)[min(NUM_WARM, num_steps - 1) :]
    found = {
        name: statistics.median(float(record[name] or 0.0) for record in records)
        for name in ("tokens_per_s", "mfu", "data_wait", "fill")
    }
    peak = torch.cuda.max_memory_allocated() if ranks.device.type == "cuda" else 0
    return found | {"peak_memory_bytes": float(peak)}
