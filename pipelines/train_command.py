"""How training is started from here: as a process, because nothing of ``pipelines`` imports the trainer."""

import sys
from collections.abc import Sequence

LAUNCHER = "train_bridge.launch"
"""Runs torchrun, and keeps what it promises of SIGTERM; see its docstring."""


def train_command(stage: str, options: Sequence[str] = (), *, nproc: int = 1) -> list[str]:
    """Return the command that trains a stage on this machine.

    Args:
        stage: YAML file.
        options: Of ``python -m train_bridge``, such as ``--set optim.lr=1e-4``.
        nproc: Processes, one per GPU.
    """
    return [sys.executable, "-m", LAUNCHER, "--standalone", f"--nproc-per-node={nproc}", stage, *options]
