"""``torchrun`` that ends with the exit code of the rank that failed first, and leaves telling to the ranks."""

import logging
import signal
import sys
from collections.abc import Sequence

from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import parse_args, run

from train_bridge.failures import EXIT_FAILED, write_error


def main(arguments: Sequence[str]) -> int:
    """Run ``torchrun`` with its own arguments.

    Returns:
        0, the exit code of the rank that failed first, or 1 if a signal ended it.
    """
    # Its report of 30 lines names the exit code alone; the rank has said why.
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    try:
        run(parse_args(list(arguments)))  # type: ignore[no-untyped-call]
    except ChildFailedError as failed:
        rank, failure = failed.get_first_failure()
        if failure.exitcode > 0:
            return int(failure.exitcode)
        name = signal.Signals(-failure.exitcode).name
        why = "; the machine may have run out of memory" if name == "SIGKILL" else ""
        write_error(f"rank {rank} was ended by {name}{why}")
        return EXIT_FAILED
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
