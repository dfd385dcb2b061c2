"""The ranks of the order test: read their batches in one layout after another and write every global batch down.

Started by torchrun with as many processes as the largest layout has ranks; smaller ones are groups of the first ranks.
"""

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import torch.distributed as dist

from train_bridge.data.dataset import BatchDataset, DatasetSpec, load_batches
from train_bridge.packing.plan import plan_packs


def main(spec_path: str, layouts: str, target: str) -> None:
    spec: DatasetSpec = pickle.loads(Path(spec_path).read_bytes())  # noqa: S301 - the test's own
    dist.init_process_group("gloo")
    found = []
    for num_ranks, num_workers in json.loads(layouts):
        group = dist.new_group(list(range(num_ranks)))
        if dist.get_rank() < num_ranks:
            found.append(read_steps(spec, group=group, num_ranks=num_ranks, num_workers=num_workers))
        dist.barrier()
    if dist.get_rank() == 0:
        Path(target).write_text(json.dumps(found), encoding="utf-8")
    dist.destroy_process_group()


def read_steps(spec: DatasetSpec, *, group: Any, num_ranks: int, num_workers: int) -> list[list[Any]]:
    """Return, per global batch, each pack: its number, its samples and their spans, its tokens and its pixels."""
    planned = plan_packs(spec.open_corpus(), spec.plan, num_epochs=spec.num_epochs)
    spans = {
        pack.number: [(sample.row, sample.chunk, sample.span.start, sample.span.stop) for sample in pack.samples]
        for pack in planned
    }
    dataset = BatchDataset(spec, rank=dist.get_rank(), world_size=num_ranks)
    own = [
        (number, spans[number], batch.input_ids[row].tolist(), int(batch.pixel_values.sum()))
        for batch in load_batches(dataset, num_workers=num_workers)
        for row, number in enumerate(batch.packs)
    ]
    gathered: list[Any] = [None] * num_ranks
    dist.all_gather_object(gathered, own, group=group)
    packs = [pack for turn in zip(*gathered, strict=True) for pack in turn]
    return [sorted(packs[i : i + spec.round_packs]) for i in range(0, len(packs), spec.round_packs)]


if __name__ == "__main__":
    main(*sys.argv[1:])
