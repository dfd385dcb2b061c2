"""How training is started from here: as a process, because nothing of ``pipelines`` imports the trainer."""

import subprocess
import sys
from collections.abc import Sequence

from curate.contract.errors import CurateError, RecipeError

LAUNCHER, COUNTER = "train_bridge.launch", "train_bridge.count_tokens"
"""The first runs torchrun, and keeps what it promises of SIGTERM; see its docstring."""

NUM_LINES = 5
"""Of what a failed command said."""


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


def run_module(command: Sequence[str], folder: str) -> str:
    """Run one of these commands, here or on a worker, and return what it prints.

    Args:
        command: From this module; the interpreter is the one of this process.
        folder: That relative paths start from.

    Raises:
        CurateError: It failed; with the last lines of what it said.
    """
    own = [sys.executable, *command[1:]]
    done = subprocess.run(own, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
    if done.returncode:
        said = "\n".join(done.stderr.splitlines()[-NUM_LINES:]) or "it said nothing"
        raise CurateError(f"exit code {done.returncode}: {said}")
    return done.stdout


def _check_stage(stage: str) -> None:
    if not stage.endswith((".yaml", ".yml")):
        raise RecipeError((f"{stage}: a stage file ends in .yaml",))
