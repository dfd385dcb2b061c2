"""``torchrun`` for jobs that are preempted: ``python -m train_bridge.launch [torchrun options] STAGE.yaml [options]``.

``torchrun`` passes SIGTERM on to its ranks, but ends with 1 itself and kills them after 30 seconds. Here the ranks are
asked by a file, end a step, save and leave with 0, and so does the launcher; SIGUSR1 does the same. On several machines
one launcher that is told suffices: a rank that knows stops all.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from train_bridge.signals import STOP_SIGNALS, started_deaf
from train_bridge.training.stopping import STOP_FILE_VARIABLE

DEFAULT_OPTIONS = ("--standalone", "--nproc-per-node=1")
LEFT_TO_TORCHRUN = "SIGINT,SIGHUP,SIGQUIT"


def main(arguments: Sequence[str]) -> int:
    """Run a stage under torchrun and return its exit code.

    Args:
        arguments: Options of torchrun, the stage file, options of the stage.
    """
    with tempfile.TemporaryDirectory() as folder:
        stop_file = Path(folder, "stop")
        environment = os.environ | {STOP_FILE_VARIABLE: str(stop_file)}
        # torchrun inherits that these are ignored, and so keeps its ranks when a scheduler signals every process.
        with started_deaf():
            process = subprocess.Popen(build_command(arguments), env=environment)  # noqa: S603 - our own module

            def note(_number: int, _frame: FrameType | None) -> None:
                stop_file.touch()

            for number in STOP_SIGNALS:
                signal.signal(number, note)
            return process.wait()


def build_command(arguments: Sequence[str]) -> list[str]:
    """Return the torchrun command; what stands before the stage file is torchrun's."""
    place = next((i for i, text in enumerate(arguments) if text.endswith((".yaml", ".yml"))), 0)
    options = list(arguments[:place]) or list(DEFAULT_OPTIONS)
    torchrun = [sys.executable, "-m", "torch.distributed.run", f"--signals-to-handle={LEFT_TO_TORCHRUN}", *options]
    return [*torchrun, "-m", "train_bridge", *arguments[place:]]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
