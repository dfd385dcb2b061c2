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
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from curate.contract.errors import CurateError
from train_bridge.failures import tell_failure
from train_bridge.options import parse_options
from train_bridge.signals import STOP_SIGNALS, started_deaf
from train_bridge.stage_file import load_stage
from train_bridge.training.stopping import STOP_FILE_VARIABLE

DEFAULT_OPTIONS = ("--standalone", "--nproc-per-node=1")
ALLOCATOR_VARIABLES = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_HIP_ALLOC_CONF")
"""The last two are the older names of the first."""
LEFT_TO_TORCHRUN = "SIGINT,SIGHUP,SIGQUIT"


def main(arguments: Sequence[str]) -> int:
    """Run a stage under torchrun and return its exit code.

    Args:
        arguments: Options of torchrun, the stage file, options of the stage.

    Returns:
        That of the rank that failed first; 2 for a stage file or options that cannot be used, before any is started.
    """
    options = parse_options(arguments[_place_of_stage(arguments) :])
    try:
        load_stage(options.stage, overrides=options.overrides)
    except CurateError as error:
        return tell_failure(error, debug=options.debug)
    with tempfile.TemporaryDirectory() as folder:
        stop_file = Path(folder, "stop")
        environment = with_allocator(os.environ) | {STOP_FILE_VARIABLE: str(stop_file)}
        # torchrun inherits that these are ignored, and so keeps its ranks when a scheduler signals every process.
        with started_deaf():
            process = subprocess.Popen(build_command(arguments), env=environment)  # noqa: S603 - our own module

            def note(_number: int, _frame: FrameType | None) -> None:
                stop_file.touch()

            for number in STOP_SIGNALS:
                signal.signal(number, note)
            return process.wait()


def with_allocator(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which CUDA memory grows in place, unless it says how already.

    Packs have other lengths and numbers of images each: blocks of fixed size would leave gaps that nothing fits in.
    """
    chosen = any(name in environment for name in ALLOCATOR_VARIABLES)
    return {**environment, **({} if chosen else {ALLOCATOR_VARIABLES[0]: "expandable_segments:True"})}


def build_command(arguments: Sequence[str]) -> list[str]:
    """Return the torchrun command; what stands before the stage file is torchrun's."""
    place = _place_of_stage(arguments)
    options = list(arguments[:place]) or list(DEFAULT_OPTIONS)
    torchrun = [sys.executable, "-m", "train_bridge.elastic", f"--signals-to-handle={LEFT_TO_TORCHRUN}", *options]
    return [*torchrun, "-m", "train_bridge", *arguments[place:]]


def _place_of_stage(arguments: Sequence[str]) -> int:
    return next((place for place, text in enumerate(arguments) if text.endswith((".yaml", ".yml"))), 0)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
