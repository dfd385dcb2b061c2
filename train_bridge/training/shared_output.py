"""Checks that all machines of a run see one output folder: a checkpoint is written by all of them."""

import secrets
import socket
import time
from pathlib import Path

from curate.contract.errors import CurateError
from train_bridge.training.ranks import Ranks, failing_together, share

PATIENCE_S = 60.0
"""Network file systems show new files late."""
POLL_S = 0.2


def check_shared_output(folder: str, *, ranks: Ranks, patience_s: float = PATIENCE_S) -> None:
    """Let every rank look for what the first one writes; all ranks call this.

    Args:
        folder: Output of the run.
        ranks: The callers.
        patience_s: How long to look.

    Raises:
        CurateError: A rank does not find it; names its machine. Or the folder cannot be written.
    """
    mark = Path(folder, f".seen-{share(secrets.token_hex(8))}")
    with failing_together():
        if ranks.is_first:
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
    try:
        with failing_together():
            _look_for(mark, ranks=ranks, deadline_s=time.monotonic() + patience_s)
    finally:
        if ranks.is_first:
            mark.unlink(missing_ok=True)


def _look_for(mark: Path, *, ranks: Ranks, deadline_s: float) -> None:
    while not mark.exists():
        if time.monotonic() > deadline_s:
            raise CurateError(
                f"output: {mark.parent} on {socket.gethostname()} (rank {ranks.rank}) is not the folder that rank 0 "
                "writes to; it must be on a disk that all machines see"
            )
        time.sleep(POLL_S)
