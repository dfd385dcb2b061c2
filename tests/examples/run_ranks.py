"""Runs every example as one of the ranks that torchrun starts, and writes what each took of the data.

All in one process, because importing the trainers takes most of the time.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import torch.distributed as dist

from tests.examples.run_all import load
from train_bridge.data.shard_dataset import ShardBatch, ShardDataset

NUM_STEPS = 3


def main(shards: str, model: str, out: str) -> None:
    taken: list[list[int]] = []
    iterate = ShardDataset.__iter__

    def note(dataset: ShardDataset) -> Iterator[ShardBatch]:
        for batch in iterate(dataset):
            taken.append(batch["labels"][batch["labels"] >= 0].tolist())
            yield batch

    ShardDataset.__iter__ = note  # type: ignore[method-assign]
    # torchrun's store serves one group: it stays for all examples.
    join, leave = dist.init_process_group, dist.destroy_process_group
    dist.init_process_group = lambda *options, **named: None if dist.is_initialized() else join(*options, **named)
    dist.destroy_process_group = lambda *_groups: None
    found: dict[str, list[list[int]]] = {}
    common = ["--steps", str(NUM_STEPS), "--seq-length", "64"]
    for name, arguments in {
        "torchdata_loop": [f"{out}/state.pt", "--num-workers", "0"],
        "hf_trainer": [f"{out}/hf"],
        "lightning_module": [f"{out}/lightning", "--devices", "2"],
    }.items():
        load(name)([shards, model, *arguments, *common])
        found[name] = taken[:NUM_STEPS]  # a trainer takes one more than it learns from
        taken.clear()
    leave()
    Path(out, f"rank{os.environ['RANK']}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
