"""Ranks in real processes over gloo, with the environment that ``torchrun`` sets.

They are forked from a server that has torch imported already, because a test starts many of them.
"""

import multiprocessing
import os
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.integration.ports import free_port
from train_bridge.__main__ import main

DEADLINE_S = 150
"""For what takes seconds where nothing else runs."""
SERVER = multiprocessing.get_context("forkserver")


def run_rank(arguments: list[str], environment: dict[str, str], errors: str) -> None:
    os.environ.update(environment)
    with Path(errors).open("ab") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    raise SystemExit(main(arguments))


def start_ranks(arguments: list[str], *, num_ranks: int, errors: Path | str = os.devnull) -> list[BaseProcess]:
    """Start ranks as torchrun would, but with torch imported already; their stderr goes to ``errors``."""
    SERVER.set_forkserver_preload(["train_bridge.__main__"])
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(num_ranks)}
    ranks: list[BaseProcess] = []
    for rank in range(num_ranks):
        environment = {**shared, "RANK": str(rank), "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": "1"}
        process = SERVER.Process(target=run_rank, args=(arguments, environment, str(errors)))
        process.start()
        ranks.append(process)
    return ranks


def finish(ranks: list[BaseProcess]) -> list[int | None]:
    for process in ranks:
        process.join(DEADLINE_S)
    return [process.exitcode for process in ranks]
