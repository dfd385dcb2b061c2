"""A plain PyTorch loop over shards with torchdata's StatefulDataLoader; run it again and it goes on.

python examples/torchdata_loop.py SHARDS MODEL STATE.pt --steps 4
torchrun --nproc-per-node 2 examples/torchdata_loop.py SHARDS MODEL STATE.pt --steps 4
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torchdata.stateful_dataloader import StatefulDataLoader
from transformers import LlavaForConditionalGeneration

from train_bridge import ShardDataset
from train_bridge.config import PackConfig


def main(arguments: Sequence[str] | None = None) -> None:
    """Train for some steps and save model, optimiser and data state."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shards")
    parser.add_argument("model", help="folder of a LLaVA model with its processor")
    parser.add_argument("state", help="file to go on from, and to save to")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--seq-length", type=int, default=4096)
    parser.add_argument("--num-workers", type=int, default=2)
    options = parser.parse_args(arguments)
    if "RANK" in os.environ:
        dist.init_process_group("gloo")  # nccl where there are GPUs
    model = LlavaForConditionalGeneration.from_pretrained(options.model)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    dataset = ShardDataset(
        options.shards, processor=options.model, pack=PackConfig(seq_length=options.seq_length), epochs=None
    )
    loader = StatefulDataLoader(
        dataset,
        batch_size=None,
        num_workers=options.num_workers,
        multiprocessing_context="forkserver" if options.num_workers else None,
    )
    if Path(options.state).exists():
        saved = torch.load(options.state)
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        loader.load_state_dict(saved["data"])
    trained = DistributedDataParallel(model, find_unused_parameters=True) if dist.is_initialized() else model
    for step, batch in zip(range(options.steps), loader, strict=False):
        loss = trained(**batch).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        print(f"step {step} loss {loss.item():.6f} tokens {int(batch['input_ids'].sum())}")  # noqa: T201
    data = loader.state_dict()  # the same on all ranks
    if dist.is_initialized():
        dist.barrier()
        rank = dist.get_rank()
        dist.destroy_process_group()
        if rank:
            return
    torch.save({"model": model.state_dict(), "optimiser": optimiser.state_dict(), "data": data}, options.state)


if __name__ == "__main__":
    main()
