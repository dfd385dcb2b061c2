"""How training is started from here: as a process, because nothing of ``pipelines`` imports the trainer."""

import sys
from collections.abc import Sequence

from curate.contract.errors import RecipeError

LAUNCHER, COUNTER = "train_bridge.launch", "train_bridge.count_tokens"
"""The first runs torchrun, and keeps what it promises of SIGTERM; see its docstring."""


def train_command(
    stage: str,
    options: Sequence[str] = (),
    *,
    nproc: int = 1,
    nnodes: str = "1",
    rdzv_endpoint: str | None = None,
) -> list[str]:
    """Return the command that trains a stage.

    Args:
        stage: YAML file.
        options: Of ``python -m train_bridge``, such as ``--set optim.lr=1e-4``.
        nproc: Processes on this machine, one per GPU.
        nnodes: Machines, or ``MIN:MAX`` of them; each runs this command.
        rdzv_endpoint: HOST:PORT of one of them, where they meet.

    Raises:
        RecipeError: Several machines and no place to meet, or no YAML file.
    """
    _check_stage(stage)
    if rdzv_endpoint is not None:
        meeting = [f"--nnodes={nnodes}", "--rdzv-backend=c10d", f"--rdzv-endpoint={rdzv_endpoint}"]
    elif nnodes == "1":
        meeting = ["--standalone"]
    else:
        raise RecipeError((f"--nnodes {nnodes}: --rdzv-endpoint HOST:PORT says where the machines meet",))
    return [sys.executable, "-m", LAUNCHER, *meeting, f"--nproc-per-node={nproc}", stage, *options]


def count_command(stage: str, options: Sequence[str] = ()) -> list[str]:
    """Return the command that counts the tokens of a stage's shards.

    Raises:
        RecipeError: No YAML file.
    """
    _check_stage(stage)
    return [sys.executable, "-m", COUNTER, stage, *options]


def _check_stage(stage: str) -> None:
    if not stage.endswith((".yaml", ".yml")):
        raise RecipeError((f"{stage}: a stage file ends in .yaml",))
