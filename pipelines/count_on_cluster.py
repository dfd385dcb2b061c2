"""Counts the tokens of a stage's shard sets on a Dask cluster: each task is a process that counts some blocks of a set.

Nothing of ``pipelines`` imports the trainer, whose command line says what is to be counted and counts it. Blocks lie
beside the sets until the last command, which is not run here, puts them together.
"""

import functools
import json
from collections.abc import Sequence
from pathlib import Path

from curate.contract.tasks import MapTasks
from pipelines.run.mapped import ClusterOptions, open_map
from pipelines.train_command import count_command, run_module

FEW_BLOCKS, MAX_BLOCKS = 64, 4
"""Of more blocks than the first, so many are a task: a process takes seconds to start, a block half a minute."""


def count_on_cluster(stage: str, options: Sequence[str] = (), *, scheduler: str) -> int:
    """Count all blocks of a stage's sets that are not counted; return how many there were.

    Args:
        stage: YAML file; workers see it, and the sets, at the same path.
        options: Of ``python -m train_bridge.count_tokens``.
        scheduler: ``tcp://HOST:PORT`` of the cluster.

    Raises:
        CurateError: Some could not be counted; names them.
    """
    folder = str(Path.cwd())
    said = run_module(count_command(stage, [*options, "--list"]), folder)
    blocks = [
        (number, first, stop)
        for number, line in enumerate(said.splitlines())
        for first, stop in json.loads(line)["rows"]
    ]
    if blocks:
        cluster = ClusterOptions(scheduler=scheduler)
        with open_map("count_tokens", cluster, num_shards=len(blocks), num_bytes=0) as map_tasks:
            _count(stage, options, blocks, folder=folder, map_tasks=map_tasks)
    return len(blocks)


def _count(
    stage: str, options: Sequence[str], blocks: list[tuple[int, int, int]], *, folder: str, map_tasks: MapTasks
) -> None:
    jobs = {}
    for number, first, stop in gather(blocks, max_blocks=1 if len(blocks) <= FEW_BLOCKS else MAX_BLOCKS):
        part = f"{number}:{first}:{stop}"
        jobs[part] = count_command(stage, [*options, "--only", part])
    for _ in map_tasks(functools.partial(run_module, folder=folder), jobs, phase="count tokens"):
        pass


def gather(blocks: Sequence[tuple[int, int, int]], *, max_blocks: int) -> list[tuple[int, int, int]]:
    """Return runs of neighbouring blocks.

    Args:
        blocks: Number of the set, first row and stop of each, in order.
        max_blocks: In a run.
    """
    runs: list[tuple[int, int, int]] = []
    num_blocks = 0
    for number, first, stop in blocks:
        if runs and num_blocks < max_blocks and (runs[-1][0], runs[-1][2]) == (number, first):
            runs[-1] = (number, runs[-1][1], stop)
            num_blocks += 1
        else:
            runs.append((number, first, stop))
            num_blocks = 1
    return runs
